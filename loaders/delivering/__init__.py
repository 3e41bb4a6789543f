"""The delivery's own machinery: what is due, who works on it, in which order, what became of it."""
