"""The generated reference: one module per page, each turning what the code says into Markdown."""
