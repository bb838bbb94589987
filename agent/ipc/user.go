package ipc

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"
)

// sidSystem is the account of Windows' own services (Microsoft Learn, "Well-known
// SIDs"); it is what root is elsewhere.
const sidSystem = "S-1-5-18"

// users are the accounts of Windows that were met, by the number that stands for
// each. Everything that is kept for a user is kept under such a number.
var users struct {
	sync.Mutex
	sid map[uint32]string
}

// UserID is the number that stands for an account of Windows, by its SID: 0 for
// the system, else one made of the whole SID, the same at any time. Where two
// accounts of a computer have the same (one case in some hundred million for a
// hundred accounts), the one met second is refused.
func UserID(sid string) (uint32, error) {
	if sid == sidSystem {
		return 0, nil
	}
	sum := sha256.Sum256([]byte(sid))
	id := binary.BigEndian.Uint32(sum[:])
	if id == 0 || id == ^uint32(0) { // the system's, and nobody's
		id = 1
	}
	users.Lock()
	defer users.Unlock()
	if other, ok := users.sid[id]; ok && other != sid {
		return 0, fmt.Errorf("the accounts %s and %s cannot be told apart", other, sid)
	}
	if users.sid == nil {
		users.sid = map[uint32]string{}
	}
	users.sid[id] = sid
	return id, nil
}
