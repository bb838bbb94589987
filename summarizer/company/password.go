package company

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// The cost of a password's hash: argon2id with 19 MiB, two passes, one lane
// (OWASP Password Storage Cheat Sheet, the first of its equal choices). A hash
// says its own cost, so these can rise.
const (
	argonMemory = 19 << 10 // KiB
	argonTime   = 2
	argonLanes  = 1
	argonSalt   = 16
	argonKey    = 32
)

// A password's length: characters at least (NIST SP 800-63B-4, 3.1.1.2, for one
// that is the only factor asks for 15; we count what nobody can try offline),
// bytes at most.
const (
	PasswordShortest = 12
	passwordLongest  = 1024
)

// hashing bounds how many hashes are computed at once: each takes 19 MiB.
var hashing = make(chan struct{}, 4)

func argon(ctx context.Context, password string, salt []byte, time, memory uint32, lanes uint8, size uint32) ([]byte, error) {
	select {
	case hashing <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-hashing }()
	return argon2.IDKey([]byte(password), salt, time, memory, lanes, size), nil
}

// hashPassword is a password's hash in PHC form
// (github.com/P-H-C/phc-string-format).
func hashPassword(ctx context.Context, password string) (string, error) {
	salt := make([]byte, argonSalt)
	_, _ = rand.Read(salt) // never fails, see crypto/rand
	key, err := argon(ctx, password, salt, argonTime, argonMemory, argonLanes, argonKey)
	if err != nil {
		return "", err
	}
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonLanes,
		b64.EncodeToString(salt), b64.EncodeToString(key)), nil
}

// nobody is the hash of no password: who has none costs as much time as who has.
const nobody = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// checkPassword compares a password with its hash; an empty or damaged hash fits
// none, and takes as long.
func checkPassword(ctx context.Context, password, hash string) (bool, error) {
	var version int
	var memory, time uint32
	var lanes uint8
	ok := len(password) <= passwordLongest && hash != ""
	for range 2 {
		part := strings.Split(hash, "$")
		if len(part) == 6 && part[1] == "argon2id" {
			_, err1 := fmt.Sscanf(part[2]+" "+part[3], "v=%d m=%d,t=%d,p=%d", &version, &memory, &time, &lanes)
			salt, err2 := base64.RawStdEncoding.DecodeString(part[4])
			want, err3 := base64.RawStdEncoding.DecodeString(part[5])
			if err1 == nil && err2 == nil && err3 == nil && version == argon2.Version && memory <= 1<<20 && time > 0 && time < 100 && lanes > 0 && len(want) >= 16 {
				if len(password) > passwordLongest {
					password = ""
				}
				got, err := argon(ctx, password, salt, time, memory, lanes, uint32(len(want)))
				return err == nil && ok && subtle.ConstantTimeCompare(got, want) == 1, err
			}
		}
		hash, ok = nobody, false
	}
	return false, nil
}

// goodPassword refuses what somebody else would try first.
func goodPassword(password, login, name string) error {
	distinct := map[rune]bool{}
	for _, r := range password {
		distinct[r] = true
	}
	low := strings.ToLower(password)
	switch {
	case utf8.RuneCountInString(password) < PasswordShortest:
		return sayf("password_short", "a password has at least %d characters", PasswordShortest)
	case len(password) > passwordLongest:
		return sayf("password_long", "a password has at most %d characters", passwordLongest)
	case len(distinct) < 5, low == login, low == strings.ToLower(name), inOrder(low):
		return sayf("password_easy", "this password is too easy to guess; take some words that do not belong together")
	}
	return nil
}

// inOrder tells whether a password is one of the rows that people type: of the
// alphabet, the digits or the keyboard, or one that is said again and again.
func inOrder(low string) bool {
	for n := 1; n <= len(low)/2; n++ {
		if len(low)%n == 0 && strings.Repeat(low[:n], len(low)/n) == low && n < 8 {
			return true
		}
	}
	for _, row := range []string{"abcdefghijklmnopqrstuvwxyz", "01234567890123456789", "98765432109876543210", "qwertyuiopasdfghjklzxcvbnm", "qwertyuiopasdfghjklçzxcvbnm"} {
		if strings.Contains(row, low) {
			return true
		}
	}
	return false
}
