"""What people answered in review, kept as labelled pictures: one half judges, the other teaches."""
