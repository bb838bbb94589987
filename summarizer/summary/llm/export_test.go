package llm

// Read is how an answer is read, for the fuzzer.
var Read = read
