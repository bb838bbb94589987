package store

import "time"

// SignIn is a computer that asks to be signed in to a user's account.
type SignIn struct {
	ID           string
	Company      string // of the user who decided; empty: nobody has yet
	UserCode     []byte // keyed hash
	DeviceCode   []byte // hash
	PublicKey    []byte // Ed25519
	Name         string // that the computer gave itself: not verified
	Address      string // from where it asked
	AgentVersion string
	CreatedAt    time.Time
	ExpiresAt    time.Time
	PolledAt     time.Time
	User         string    // who decided; empty with DecidedAt set: refused
	DecidedAt    time.Time // zero: nobody has yet
	Device       string    // that was made of it; empty: none yet
}

const signInColumns = `id, company, user_code, device_code, public_key, name, address, agent_version, created_at, expires_at, polled_at, owner, decided_at, device`

func (s *SignIn) into() []any {
	return []any{&s.ID, &s.Company, &s.UserCode, &s.DeviceCode, &s.PublicKey, &s.Name, &s.Address, &s.AgentVersion,
		stamp{&s.CreatedAt}, stamp{&s.ExpiresAt}, stamp{&s.PolledAt}, &s.User, stamp{&s.DecidedAt}, &s.Device}
}

// InsertSignIn adds one of which nothing was decided. ErrExists where one of its
// codes is taken.
func (t *Tx) InsertSignIn(s SignIn) error {
	n, err := t.exec(`INSERT INTO sign_ins (`+signInColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, '', 0, '')
		ON CONFLICT DO NOTHING`, s.ID, s.Company, s.UserCode, s.DeviceCode, s.PublicKey, s.Name, s.Address, s.AgentVersion,
		ns(s.CreatedAt), ns(s.ExpiresAt))
	if err == nil && n == 0 {
		return ErrExists
	}
	return err
}

// SignInToDecide returns the one with this user code that is neither decided nor
// expired, or ErrNotFound. It is no company's yet.
func (t *Tx) SignInToDecide(userCode []byte, now time.Time) (s SignIn, err error) {
	err = t.one(`SELECT `+signInColumns+` FROM sign_ins WHERE user_code = $1 AND decided_at = 0 AND expires_at > $2`,
		[]any{userCode, ns(now)}, s.into()...)
	return s, err
}

// DecideSignIn notes what was decided, once, in a company: for a user of it, or
// for nobody. ErrNotFound where it is decided or expired already.
func (t *Tx) DecideSignIn(id, company, user string, at time.Time) error {
	n, err := t.exec(`UPDATE sign_ins SET company = $2, owner = $3, decided_at = $4 WHERE id = $1 AND decided_at = 0 AND expires_at > $4`,
		id, company, user, ns(at))
	return found(n, err)
}

// PollSignIn returns the one with this device code as it was before, and notes
// the poll; ErrNotFound where there is none. Who has the code is the computer.
func (t *Tx) PollSignIn(deviceCode []byte, at time.Time) (s SignIn, err error) {
	err = t.one(`SELECT `+signInColumns+` FROM sign_ins WHERE device_code = $1`, []any{deviceCode}, s.into()...)
	if err != nil {
		return s, err
	}
	_, err = t.exec(`UPDATE sign_ins SET polled_at = $2 WHERE id = $1`, s.ID, ns(at))
	return s, err
}

// DeviceOfSignIn notes the device that was made of one, once: ErrNotFound the second time.
func (t *Tx) DeviceOfSignIn(company, id, device string) error {
	n, err := t.exec(`UPDATE sign_ins SET device = $3 WHERE company = $1 AND id = $2 AND device = ''`, company, id, device)
	return found(n, err)
}

// DropSignIns forgets those that expired before a time.
func (t *Tx) DropSignIns(before time.Time) error {
	_, err := t.exec(`DELETE FROM sign_ins WHERE expires_at < $1`, ns(before))
	return err
}

// RevokeAccounts ends the right of all computers that are signed in to a user's
// account, and what waits to be.
func (t *Tx) RevokeAccounts(company, user string, at time.Time) error {
	_, err := t.exec(`UPDATE devices SET revoked_at = $3 WHERE company = $1 AND account = $2 AND revoked_at = 0`, company, user, ns(at))
	if err != nil {
		return err
	}
	_, err = t.exec(`DELETE FROM sign_ins WHERE company = $1 AND owner = $2`, company, user)
	return err
}
