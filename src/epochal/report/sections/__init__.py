"""One module for each section of the report: a record of the journal in, what its template shows out, or None."""
