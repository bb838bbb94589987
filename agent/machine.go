package agent

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// machineName hashes a name of the computer, so that the name itself, which other
// programs go by, stands nowhere in our state (sd_id128_get_machine_app_specific(3)
// does likewise). Nothing, and what systemd writes into an image that has no name
// yet (machine-id(5)), stay empty.
func machineName(of, name string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	if name == "" || name == "uninitialized" || strings.Trim(name, "0-") == "" || strings.Trim(name, "f-") == "" {
		return ""
	}
	h := hmac.New(sha256.New, []byte(name))
	h.Write([]byte("aval " + of))
	return hex.EncodeToString(h.Sum(nil)[:16])
}
