"""The mteb tasks of this project. Every public class in a file here is a task with the class's name."""
