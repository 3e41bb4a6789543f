-- name: switches
SELECT domain, held_by IS NOT NULL, worked_off_at FROM domain_switches

-- name: worked_off
INSERT INTO domain_switches (domain, worked_off_at) SELECT unnest(%(domains)s::text[]), %(at)s
ON CONFLICT (domain) DO UPDATE SET worked_off_at = greatest(domain_switches.worked_off_at, excluded.worked_off_at)

-- name: hold
INSERT INTO domain_switches (domain, held_by, reason, held_at) VALUES (%(domain)s, %(by)s, %(reason)s, now())
ON CONFLICT (domain) DO UPDATE SET held_by = excluded.held_by, reason = excluded.reason, held_at = excluded.held_at

-- name: release
UPDATE domain_switches SET held_by = NULL, reason = NULL, held_at = NULL WHERE domain = %(domain)s AND held_by IS NOT NULL

-- What is due or waits, by entity; the oldest by what the source committed, where that is known.
-- name: waiting
SELECT entity, count(*) FILTER (WHERE status = 'pending'), count(*) FILTER (WHERE status = 'parked'),
       count(*) FILTER (WHERE status = 'dead'),
       extract(epoch FROM now() - min(coalesce(committed_at, first_seen_at)) FILTER (WHERE status = 'pending'))::float8
FROM outbox WHERE status IN ('pending', 'parked', 'dead') GROUP BY entity

-- Ages at delivery since a moment, by entity.
-- name: ages
SELECT split_part(record_id, ':', 1), age_s FROM deliveries
WHERE outcome IN ('delivered', 'cancelled') AND age_s IS NOT NULL AND finished_at >= now() - make_interval(hours => %(hours)s)

-- name: held
SELECT domain, held_by, reason, held_at FROM domain_switches WHERE held_by IS NOT NULL
