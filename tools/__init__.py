"""What makes roost's own documentation: its pages, its pictures, its changelog."""
