package store

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// Identity is a user as an identity provider knows them.
type Identity struct {
	Company   string
	Issuer    string
	Subject   string
	Owner     string
	CreatedAt time.Time
}

// InsertIdentity ties a user to an identity. ErrExists where it is somebody's.
func (t *Tx) InsertIdentity(i Identity) error {
	n, err := t.exec(`INSERT INTO user_identities (company, issuer, subject, owner, created_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (company, issuer, subject) DO NOTHING`, i.Company, i.Issuer, i.Subject, i.Owner, ns(i.CreatedAt))
	if err == nil && n == 0 {
		return ErrExists
	}
	return err
}

// UserByIdentity returns the user of an identity, disabled or not, or ErrNotFound.
func (t *Tx) UserByIdentity(company, issuer, subject string) (u User, err error) {
	err = t.one(`SELECT `+userColumns+` FROM users u JOIN user_identities i ON i.owner = u.id AND i.company = u.company
		WHERE u.company = $1 AND i.issuer = $2 AND i.subject = $3`, []any{company, issuer, subject}, u.into()...)
	return u, err
}

// DropIdentities unties a user from their identities.
func (t *Tx) DropIdentities(company, owner string) error {
	_, err := t.exec(`DELETE FROM user_identities WHERE company = $1 AND owner = $2`, company, owner)
	return err
}

// UserByLogin returns the user who signs in by this name, disabled or not, or ErrNotFound.
func (t *Tx) UserByLogin(company, login string) (u User, err error) {
	if login == "" {
		return u, ErrNotFound
	}
	err = t.one(`SELECT `+userColumns+` FROM users u WHERE u.company = $1 AND u.login = $2`, []any{company, login}, u.into()...)
	return u, err
}

// UserFilter chooses users; a zero field chooses all.
type UserFilter struct {
	Search string // a part of name or login
	Role   string
	Logged *bool // log_sessions is so
	Live   bool  // only those who are not disabled
	// After is the last one of the page before, of whom Fold and ID count.
	After User
	Max   int // how many at most; 0: all
}

// FindUsers lists a company's users by name.
func (t *Tx) FindUsers(company string, f UserFilter) (list []User, err error) {
	where, args := `u.company = $1`, []any{company}
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	if f.Search != "" {
		// \, % and _ stand for themselves.
		s := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(Fold(f.Search))
		where += ` AND u.fold LIKE ` + arg("%"+s+"%") + ` ESCAPE '\'`
	}
	if f.Role != "" {
		where += ` AND u.role = ` + arg(f.Role)
	}
	if f.Logged != nil {
		where += ` AND u.log_sessions = ` + arg(*f.Logged)
	}
	if f.Live {
		where += ` AND u.disabled_at = 0`
	}
	if f.After.ID != "" {
		fold := arg(f.After.Fold)
		where += ` AND (u.fold > ` + fold + ` OR u.fold = ` + fold + ` AND u.id > ` + arg(f.After.ID) + `)`
	}
	where += ` ORDER BY u.fold, u.id`
	if f.Max > 0 {
		where += ` LIMIT ` + arg(int64(f.Max))
	}
	err = t.each(`SELECT `+userColumns+` FROM users u WHERE `+where, args, func(scan func(...any) error) error {
		var u User
		err := scan(u.into()...)
		list = append(list, u)
		return err
	})
	return list, err
}

// UpdateUser changes a user's name, login, role, team and log_sessions.
// ErrExists where somebody else of the company has the login.
func (t *Tx) UpdateUser(u User) error {
	if u.Login != "" {
		other, err := t.UserByLogin(u.Company, u.Login)
		if err == nil && other.ID != u.ID {
			return ErrExists
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	n, err := t.exec(`UPDATE users SET name = $3, login = $4, role = $5, team = $6, log_sessions = $7, fold = $8 WHERE company = $1 AND id = $2`,
		u.Company, u.ID, u.Name, u.Login, u.Role, u.Team, u.LogSessions, Fold(u.Name+" "+u.Login))
	return found(n, err)
}

// EnableUser takes back that a user was disabled.
func (t *Tx) EnableUser(company, id string) error {
	n, err := t.exec(`UPDATE users SET disabled_at = 0 WHERE company = $1 AND id = $2`, company, id)
	return found(n, err)
}

// SetPassword keeps the hash of a user's password; empty: they have none.
func (t *Tx) SetPassword(company, id, hash string) error {
	n, err := t.exec(`UPDATE users SET password = $3 WHERE company = $1 AND id = $2`, company, id, hash)
	return found(n, err)
}

// SignedIn notes that a user signed in.
func (t *Tx) SignedIn(company, id string, at time.Time) error {
	n, err := t.exec(`UPDATE users SET signed_in_at = $3 WHERE company = $1 AND id = $2`, company, id, ns(at))
	return found(n, err)
}

// Administrators counts the administrators who can sign in: not disabled, and
// with a password or an identity. except is left out; empty: nobody is.
func (t *Tx) Administrators(company, except string) (n int64, err error) {
	err = t.one(`SELECT COUNT(*) FROM users u WHERE u.company = $1 AND u.role = 'administrator' AND u.disabled_at = 0 AND u.id <> $2
		AND (u.password <> '' OR EXISTS (SELECT 1 FROM user_identities i WHERE i.company = u.company AND i.owner = u.id))`,
		[]any{company, except}, &n)
	return n, err
}

// InsertInvitation adds a one-time link for a user, in place of any earlier one;
// Token.User is who.
func (t *Tx) InsertInvitation(k Token) error {
	if _, err := t.exec(`DELETE FROM invitations WHERE company = $1 AND owner = $2`, k.Company, k.User); err != nil {
		return err
	}
	_, err := t.exec(`INSERT INTO invitations (hash, company, owner, created_at, expires_at, used_at) VALUES ($1, $2, $3, $4, $5, 0)`,
		k.Hash, k.Company, k.User, ns(k.CreatedAt), ns(k.ExpiresAt))
	return err
}

// Invited returns the company and the user whom a usable link invites, or ErrNotFound.
func (t *Tx) Invited(hash []byte, at time.Time) (company, user string, err error) {
	err = t.one(`SELECT company, owner FROM invitations WHERE hash = $1 AND used_at = 0 AND expires_at > $2`, []any{hash, ns(at)}, &company, &user)
	return company, user, err
}

// UseInvitation uses a link up, and returns the user whom it invites; ErrNotFound
// where it was used, replaced or has expired.
func (t *Tx) UseInvitation(company string, hash []byte, at time.Time) (user string, err error) {
	err = t.one(`UPDATE invitations SET used_at = $3 WHERE company = $1 AND hash = $2 AND used_at = 0 AND expires_at > $3 RETURNING owner`,
		[]any{company, hash, ns(at)}, &user)
	return user, err
}

// Provider is a company's identity provider.
type Provider struct {
	Settings string // JSON owned by summarizer/company
	Secret   []byte // sealed
	SetAt    time.Time
}

// Provider returns a company's identity provider, or ErrNotFound.
func (t *Tx) Provider(company string) (p Provider, err error) {
	err = t.one(`SELECT settings, secret, set_at FROM identity_providers WHERE company = $1`, []any{company}, &p.Settings, &p.Secret, stamp{&p.SetAt})
	return p, err
}

// SetProvider keeps a company's identity provider.
func (t *Tx) SetProvider(company string, p Provider) error {
	_, err := t.exec(`INSERT INTO identity_providers (company, settings, secret, set_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (company) DO UPDATE SET settings = $2, secret = $3, set_at = $4`, company, p.Settings, p.Secret, ns(p.SetAt))
	return err
}

// DropProvider takes a company's identity provider away.
func (t *Tx) DropProvider(company string) error {
	_, err := t.exec(`DELETE FROM identity_providers WHERE company = $1`, company)
	return err
}

// BreakGlass is one use of an administrator link although administrators can
// sign in themselves.
type BreakGlass struct {
	ID      string
	Company string
	At      time.Time
	Reason  string
	Address string
}

// InsertBreakGlass adds one.
func (t *Tx) InsertBreakGlass(b BreakGlass) error {
	_, err := t.exec(`INSERT INTO break_glass (id, company, at, reason, address) VALUES ($1, $2, $3, $4, $5)`, b.ID, b.Company, ns(b.At), b.Reason, b.Address)
	return err
}

// UnseenGlass lists what a user has not been shown yet, newest first, at most max.
func (t *Tx) UnseenGlass(company, user string, max int) (list []BreakGlass, err error) {
	err = t.each(`SELECT id, company, at, reason, address FROM break_glass WHERE company = $1
		AND at > (SELECT glass_seen_at FROM users WHERE company = $1 AND id = $2) ORDER BY at DESC LIMIT $3`,
		[]any{company, user, int64(max)}, func(scan func(...any) error) error {
			var b BreakGlass
			err := scan(&b.ID, &b.Company, stamp{&b.At}, &b.Reason, &b.Address)
			list = append(list, b)
			return err
		})
	return list, err
}

// GlassSeen notes that a user has seen all uses up to a time.
func (t *Tx) GlassSeen(company, user string, at time.Time) error {
	n, err := t.exec(`UPDATE users SET glass_seen_at = CASE WHEN glass_seen_at < $3 THEN $3 ELSE glass_seen_at END
		WHERE company = $1 AND id = $2`, company, user, ns(at))
	return found(n, err)
}

// InsertSetup notes that the first-run wizard was completed; ErrExists where it
// had been.
func (t *Tx) InsertSetup(company, terms, owner string, at time.Time) error {
	n, err := t.exec(`INSERT INTO company_setups (company, at, terms, owner) VALUES ($1, $2, $3, $4) ON CONFLICT (company) DO NOTHING`,
		company, ns(at), terms, owner)
	if err == nil && n == 0 {
		return ErrExists
	}
	return err
}

// IsSetUp tells whether the first-run wizard was completed.
func (t *Tx) IsSetUp(company string) (bool, error) {
	var n int64
	err := t.one(`SELECT COUNT(*) FROM company_setups WHERE company = $1`, []any{company}, &n)
	return n > 0, err
}
