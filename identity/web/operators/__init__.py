"""What operators and their monitoring ask: is the daemon alive and ready, what does it count?

Must have no side effects. Invariant: a name or a problem is told, never a person or a secret.
"""
