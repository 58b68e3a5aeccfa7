"""Tools for roost's documentation: the site, the pictures, the changelog."""
