"""All schedules, one file each. The file's name is the schedule's name; `plane/schedule.py` says how to add one."""
