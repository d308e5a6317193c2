"""A fleet on one machine, to try what docker/ deploys: started, restarted in parts, measured."""
