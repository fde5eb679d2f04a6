"""The clients and applications of examples/, as processes beside a real daemon."""
