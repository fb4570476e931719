"""Migrations of both databases: what is applied, what is pending, what is dirty, and the way between them."""
