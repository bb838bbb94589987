package service

// Asking names the programs that ask people. They run with Group, so that the
// service knows them by the kernel's word, and so that the person's other
// programs can neither trace them nor load code into them (ld.so(8),
// ptrace(2): a set-group-ID program runs in secure mode and is not dumpable).
var Asking = []string{"aval-desktop", "aval-ui"}

func makeGroup() error { return tool("groupadd", "--system", Group) }

func removeGroup() error { return tool("groupdel", Group) }
