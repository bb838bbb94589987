package ipc_test

import (
	"testing"

	"aval/agent/ipc"
)

// TestUserID: the system is 0 and nobody else is, and an account keeps its number.
// Two that share one, found by trying, are not taken for each other: leave the
// comparison out of UserID, and the second gets the settings of the first.
func TestUserID(t *testing.T) {
	if id, err := ipc.UserID("S-1-5-18"); id != 0 || err != nil {
		t.Errorf("the system: %d, %v", id, err)
	}
	const one, same = "S-1-5-21-1-2-3-ONE", "S-1-5-21-1-2-3-SAME"
	first, err := ipc.UserID(one)
	if err != nil || first == 0 {
		t.Fatal(first, err)
	}
	if again, err := ipc.UserID(one); again != first || err != nil {
		t.Errorf("again: %d, %v", again, err)
	}
	if other, err := ipc.UserID(same); err != nil || other == first {
		t.Errorf("another: %d, %v", other, err)
	}
}
