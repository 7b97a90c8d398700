"""Several networks, or several moments of one, made into a better one."""
