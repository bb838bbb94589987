package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxNonce is the longest nonce in bytes.
const maxNonce = 256

// readNonce reads the nonce up to the end of the file or the line. It is never
// an argument: those can be read by every process of the machine.
func readNonce() (string, error) {
	f := nonceFile()
	defer f.Close()
	return parseNonce(f)
}

func parseNonce(r io.Reader) (string, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxNonce+1))
	if err != nil {
		return "", fmt.Errorf("read nonce: %w", err)
	}
	if len(raw) > maxNonce {
		return "", errors.New("read nonce: it is too long")
	}
	nonce, _, _ := strings.Cut(string(raw), "\n")
	if nonce = strings.TrimSpace(nonce); nonce == "" {
		return "", errors.New("read nonce: it is missing; the service starts this window, nobody else can")
	}
	return nonce, nil
}
