"""What casts doubt on a number: leakage, shortcuts, bad files, doubtful labels."""
