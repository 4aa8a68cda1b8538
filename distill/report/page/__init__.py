"""The report as a page: tables and figures as data, then HTML, Markdown, CSV and SVG."""
