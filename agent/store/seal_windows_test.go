package store

import (
	"bytes"
	"errors"
	"testing"
)

// TestOfAnotherComputer: what was sealed opens, and opens whole or not at all. To see it fail:
// leave sealedFor out of openSecret, and what another program has sealed passes
// for a key.
func TestOfAnotherComputer(t *testing.T) {
	raw := bytes.Repeat([]byte("key"), 40)
	sealed, err := sealSecret(raw)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := openSecret(sealed); err != nil || !bytes.Equal(back, raw) {
		t.Errorf("%q, %v", back, err)
	}
	if bytes.Equal(sealed, raw) {
		t.Error("it is not sealed")
	}
	for _, bad := range [][]byte{nil, raw, sealed[:len(sealed)-1], append([]byte("x"), sealed...)} {
		if _, err := openSecret(bad); !errors.Is(err, ErrDamaged) {
			t.Errorf("%d bytes that are none: %v", len(bad), err)
		}
	}
}
