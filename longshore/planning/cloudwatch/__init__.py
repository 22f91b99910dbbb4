"""Checks that are measured from CloudWatch: what is asked, and what the answers say."""
