package store

import "time"

// Policy is a company's policy with its draft; Draft is JSON owned by
// summarizer/company.
type Policy struct {
	ID        string
	Company   string
	Name      string
	Draft     string
	Version   int64 // last published; 0: never
	CreatedAt time.Time
	UpdatedAt time.Time
	// Deleted: it is assigned to nothing, and its name is free.
	Deleted bool
}

// PolicyVersion is one published version of a policy.
type PolicyVersion struct {
	Policy      string
	Version     int64
	Settings    string
	Release     []byte // signed envelope; empty: none
	PublishedAt time.Time
}

const policyColumns = `SELECT id, company, CASE WHEN deleted_name = '' THEN name ELSE deleted_name END, draft, version, created_at, updated_at,
	deleted_name <> '' FROM policies`

func (p *Policy) into() []any {
	return []any{&p.ID, &p.Company, &p.Name, &p.Draft, &p.Version, stamp{&p.CreatedAt}, stamp{&p.UpdatedAt}, &p.Deleted}
}

// InsertPolicy adds a policy that was never published. ErrExists where the name
// is taken.
func (t *Tx) InsertPolicy(p Policy) error {
	n, err := t.exec(`INSERT INTO policies (id, company, name, draft, version, created_at, updated_at)
		VALUES ($1, $2, $3, $4, 0, $5, $5) ON CONFLICT (company, name) DO NOTHING`, p.ID, p.Company, p.Name, p.Draft, ns(p.CreatedAt))
	if err == nil && n == 0 {
		return ErrExists
	}
	return err
}

// PolicyNamed returns a policy that is not deleted by its name, or ErrNotFound.
func (t *Tx) PolicyNamed(company, name string) (p Policy, err error) {
	err = t.one(policyColumns+` WHERE company = $1 AND name = $2 AND deleted_name = ''`, []any{company, name}, p.into()...)
	return p, err
}

// Policies lists a company's policies that are not deleted, by name.
func (t *Tx) Policies(company string) ([]Policy, error) {
	return t.policies(` AND deleted_name = '' ORDER BY name`, company)
}

// AllPolicies lists the deleted ones with them: a computer may have one still.
func (t *Tx) AllPolicies(company string) ([]Policy, error) {
	return t.policies(` ORDER BY id`, company)
}

func (t *Tx) policies(more, company string) (list []Policy, err error) {
	err = t.each(policyColumns+` WHERE company = $1`+more, []any{company}, func(scan func(...any) error) error {
		var p Policy
		if err := scan(p.into()...); err != nil {
			return err
		}
		list = append(list, p)
		return nil
	})
	return list, err
}

// RenamePolicy names a policy that is not deleted anew. Look first whether the
// name is free: PolicyNamed.
func (t *Tx) RenamePolicy(company, id, name string, at time.Time) error {
	n, err := t.exec(`UPDATE policies SET name = $3, updated_at = $4 WHERE company = $1 AND id = $2 AND deleted_name = ''`, company, id, name, ns(at))
	return found(n, err)
}

// DeletePolicy deletes a policy; take its assignments away first. RestorePolicy
// brings it back under a name that is free.
func (t *Tx) DeletePolicy(company, id string, at time.Time) error {
	n, err := t.exec(`UPDATE policies SET deleted_name = name, name = id, updated_at = $3 WHERE company = $1 AND id = $2 AND deleted_name = ''`, company, id, ns(at))
	return found(n, err)
}

func (t *Tx) RestorePolicy(company, id, name string, at time.Time) error {
	n, err := t.exec(`UPDATE policies SET name = $3, deleted_name = '', updated_at = $4 WHERE company = $1 AND id = $2 AND deleted_name <> ''`, company, id, name, ns(at))
	return found(n, err)
}

// DraftPolicy changes a policy's draft.
func (t *Tx) DraftPolicy(company, id, draft string, at time.Time) error {
	n, err := t.exec(`UPDATE policies SET draft = $3, updated_at = $4 WHERE company = $1 AND id = $2`, company, id, draft, ns(at))
	return found(n, err)
}

// PublishPolicy adds the next version of a company's policy: v.Version must be one more
// than the last. ErrExists where it is not.
func (t *Tx) PublishPolicy(company string, v PolicyVersion) error {
	n, err := t.exec(`UPDATE policies SET version = $3 WHERE company = $1 AND id = $2 AND version = $3 - 1`, company, v.Policy, v.Version)
	if err != nil {
		return err
	}
	if n == 0 {
		return ErrExists
	}
	if v.Release == nil {
		v.Release = []byte{}
	}
	_, err = t.exec(`INSERT INTO policy_versions (policy, version, settings, release, published_at) VALUES ($1, $2, $3, $4, $5)`,
		v.Policy, v.Version, v.Settings, v.Release, ns(v.PublishedAt))
	return err
}

// PolicyVersion returns one published version, or ErrNotFound.
func (t *Tx) PolicyVersion(company, policy string, version int64) (v PolicyVersion, err error) {
	err = t.one(`SELECT v.policy, v.version, v.settings, v.release, v.published_at FROM policy_versions v JOIN policies p ON p.id = v.policy
		WHERE p.company = $1 AND v.policy = $2 AND v.version = $3`, []any{company, policy, version}, &v.Policy, &v.Version, &v.Settings, &v.Release, stamp{&v.PublishedAt})
	return v, err
}

// AssignPolicy assigns a policy to a device, in the place of the one before; an
// empty device stands for all that have none of their own, an empty policy takes
// the assignment away.
func (t *Tx) AssignPolicy(company, device, policy string) error {
	if _, err := t.exec(`DELETE FROM policy_assignments WHERE company = $1 AND device = $2`, company, device); err != nil || policy == "" {
		return err
	}
	_, err := t.exec(`INSERT INTO policy_assignments (company, device, policy) VALUES ($1, $2, $3)`, company, device, policy)
	return err
}

// Assignments returns which policy (id) each device of a company was assigned;
// the empty device stands for all others.
func (t *Tx) Assignments(company string) (map[string]string, error) {
	all := map[string]string{}
	err := t.each(`SELECT device, policy FROM policy_assignments WHERE company = $1`, []any{company}, func(scan func(...any) error) error {
		var device, policy string
		if err := scan(&device, &policy); err != nil {
			return err
		}
		all[device] = policy
		return nil
	})
	return all, err
}

// PolicyOf returns the policy assigned to a device, in the version last
// published: its own, else its group's, else the one of all; and which of the
// three it is: device, group or all. ErrNotFound where there is none.
func (t *Tx) PolicyOf(company, device string) (p Policy, v PolicyVersion, from string, err error) {
	var id string
	err = t.one(`SELECT candidates.policy, candidates.source FROM (
			SELECT 1 AS place, policy, 'device' AS source FROM policy_assignments WHERE company = $1 AND device = $2
			UNION ALL
			SELECT 2, g.policy, 'group' FROM devices d JOIN device_groups g ON g.company = d.company AND g.id = d.device_group
				WHERE d.company = $1 AND d.id = $2 AND g.deleted_at = 0 AND g.policy <> ''
			UNION ALL
			SELECT 3, policy, 'all' FROM policy_assignments WHERE company = $1 AND device = ''
		) AS candidates JOIN policies p ON p.company = $1 AND p.id = candidates.policy AND p.deleted_name = ''
		ORDER BY candidates.place LIMIT 1`, []any{company, device}, &id, &from)
	if err != nil {
		return Policy{}, PolicyVersion{}, "", err
	}
	if p, err = t.Policy(company, id); err != nil {
		return Policy{}, PolicyVersion{}, "", err
	}
	v, err = t.PolicyVersion(company, p.ID, p.Version)
	return p, v, from, err
}

// Policy returns a company's policy by its id, deleted or not, or ErrNotFound.
func (t *Tx) Policy(company, id string) (p Policy, err error) {
	err = t.one(policyColumns+` WHERE company = $1 AND id = $2`, []any{company, id}, p.into()...)
	return p, err
}

// PolicyVersions lists a policy's published versions, newest first.
func (t *Tx) PolicyVersions(company, policy string, limit int) (list []PolicyVersion, err error) {
	err = t.each(`SELECT v.policy, v.version, v.settings, v.release, v.published_at FROM policy_versions v JOIN policies p ON p.id = v.policy
		WHERE p.company = $1 AND v.policy = $2 ORDER BY v.version DESC LIMIT $3`, []any{company, policy, limit}, func(scan func(...any) error) error {
		var v PolicyVersion
		if err := scan(&v.Policy, &v.Version, &v.Settings, &v.Release, stamp{&v.PublishedAt}); err != nil {
			return err
		}
		list = append(list, v)
		return nil
	})
	return list, err
}
