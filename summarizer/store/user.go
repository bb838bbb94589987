package store

import "time"

// User is one person of a company.
type User struct {
	ID      string
	Company string
	Name    string
	Login   string // what they sign in with, in lower case; empty: they have none
	Role    string // one of company.Role
	Team    string // whose sessions count as theirs where the company says so; empty: none
	// LogSessions: their sessions are to be summarised.
	LogSessions bool
	Password    string // argon2id in PHC form; empty: none is set
	Fold        string // what a search looks in, and the order of lists
	CreatedAt   time.Time
	DisabledAt  time.Time // zero: not disabled
	SignedInAt  time.Time // zero: never
	// Linked: an identity provider knows them.
	Linked bool
}

const userColumns = `u.id, u.company, u.name, u.login, u.role, u.team, u.log_sessions, u.password, u.fold, u.created_at, u.disabled_at, u.signed_in_at,
	EXISTS (SELECT 1 FROM user_identities i WHERE i.company = u.company AND i.owner = u.id)`

func (u *User) into() []any {
	return []any{&u.ID, &u.Company, &u.Name, &u.Login, &u.Role, &u.Team, &u.LogSessions, &u.Password, &u.Fold,
		stamp{&u.CreatedAt}, stamp{&u.DisabledAt}, stamp{&u.SignedInAt}, &u.Linked}
}

// InsertUser adds a user. ErrExists where somebody of the company has the login.
func (t *Tx) InsertUser(u User) error {
	n, err := t.exec(`INSERT INTO users (id, company, name, login, role, team, log_sessions, password, fold, created_at, disabled_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, '', $8, $9, 0) ON CONFLICT (company, login) WHERE login <> '' DO NOTHING`,
		u.ID, u.Company, u.Name, u.Login, u.Role, u.Team, u.LogSessions, Fold(u.Name+" "+u.Login), ns(u.CreatedAt))
	if err == nil && n == 0 {
		return ErrExists
	}
	return err
}

// User returns a user, disabled or not, or ErrNotFound.
func (t *Tx) User(company, id string) (u User, err error) {
	err = t.one(`SELECT `+userColumns+` FROM users u WHERE u.company = $1 AND u.id = $2`, []any{company, id}, u.into()...)
	return u, err
}

// DisableUser ends what a user may do, their tokens' use too. It is idempotent.
func (t *Tx) DisableUser(company, id string, at time.Time) error {
	n, err := t.exec(`UPDATE users SET disabled_at = CASE WHEN disabled_at = 0 THEN $3 ELSE disabled_at END
		WHERE company = $1 AND id = $2`, company, id, ns(at))
	return found(n, err)
}

// Announcement tells a computer that a user is about to connect to it.
type Announcement struct {
	ID        string
	Company   string
	Device    string
	User      string
	Envelope  []byte
	CreatedAt time.Time
	ExpiresAt time.Time
	ToldAt    time.Time
}

// InsertAnnouncement adds one.
func (t *Tx) InsertAnnouncement(a Announcement) error {
	_, err := t.exec(`INSERT INTO announcements (id, company, device, owner, envelope, created_at, expires_at, told_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 0)`,
		a.ID, a.Company, a.Device, a.User, a.Envelope, ns(a.CreatedAt), ns(a.ExpiresAt))
	return err
}

// AnnouncedDevices lists the devices, of whichever company, that have not been told of something yet.
func (t *Tx) AnnouncedDevices(now time.Time) (devices []string, err error) {
	err = t.each(`SELECT DISTINCT device FROM announcements WHERE told_at = 0 AND expires_at > $1`, []any{ns(now)},
		func(scan func(...any) error) error {
			var d string
			if err := scan(&d); err != nil {
				return err
			}
			devices = append(devices, d)
			return nil
		})
	return devices, err
}

// Announcements lists what a device has not been told yet, oldest first.
func (t *Tx) Announcements(company, device string, now time.Time) (list []Announcement, err error) {
	err = t.each(`SELECT id, envelope FROM announcements WHERE company = $1 AND device = $2 AND told_at = 0 AND expires_at > $3
		ORDER BY created_at, id`, []any{company, device, ns(now)}, func(scan func(...any) error) error {
		a := Announcement{Company: company, Device: device}
		if err := scan(&a.ID, &a.Envelope); err != nil {
			return err
		}
		list = append(list, a)
		return nil
	})
	return list, err
}

// ToldOf notes that a device has an announcement.
func (t *Tx) ToldOf(company, device, id string, at time.Time) error {
	_, err := t.exec(`UPDATE announcements SET told_at = $4 WHERE company = $1 AND device = $2 AND id = $3 AND told_at = 0`, company, device, id, ns(at))
	return err
}

// Told tells when a device had an announcement; zero: not yet.
func (t *Tx) Told(company, id string) (at time.Time, err error) {
	err = t.one(`SELECT told_at FROM announcements WHERE company = $1 AND id = $2`, []any{company, id}, stamp{&at})
	return at, err
}

// DropAnnouncements forgets those that expired before a time.
func (t *Tx) DropAnnouncements(company string, before time.Time) error {
	_, err := t.exec(`DELETE FROM announcements WHERE company = $1 AND expires_at < $2`, company, ns(before))
	return err
}
