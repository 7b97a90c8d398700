"""The only room that opens images: from files to a table of samples, one array of pixels, and batches."""
