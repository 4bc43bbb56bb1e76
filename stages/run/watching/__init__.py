"""What bounds a running program beside the kernel's own limits: time in which it could run, and memory of all its processes; by the
standard library alone, because the harnesses inside the sandbox use it, too."""
