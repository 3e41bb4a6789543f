"""The application: the command line, the two lanes as processes, their status, and the demo.

It imports every other package and none imports it. What a lane does between its reader and its end lives in `causeway.lane`;
which end it has, in `causeway.operational` and `causeway.analytical`.
"""
