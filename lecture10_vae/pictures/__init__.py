"""What the scripts draw, one file a script: its pictures, and what TensorBoard shows. No script is imported."""
