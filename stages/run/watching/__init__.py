"""What bounds a running program beside the kernel's own limits: time in which it could run, and the memory of all its processes.

Standard library only, because the harnesses inside the sandbox use it too."""
