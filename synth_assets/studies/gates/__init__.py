"""The study of the gates: planted defects, clean data, and how often each gate catches the one and stops the other."""
