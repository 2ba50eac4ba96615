"""Our own mteb tasks. Every public class of a file here is one, under its class's name; a new task is a new file."""
