"""HTTP in, HTTP out: routes translate between the wire and the rules, and hold neither rules nor SQL."""
