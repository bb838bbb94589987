package service

// Asking names the programs that ask people.
var Asking = MacAsking

func makeGroup() error { return tool("dseditgroup", "-o", "create", "-r", "Aval", Group) }

func removeGroup() error { return tool("dseditgroup", "-o", "delete", Group) }
