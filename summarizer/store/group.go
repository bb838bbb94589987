package store

import "time"

// DeviceGroup is a group of a company's devices.
type DeviceGroup struct {
	ID      string
	Company string
	Name    string // unique among those that are not deleted
	// Policy is the id of the one assigned to the group; empty: none.
	Policy    string
	CreatedAt time.Time
	DeletedAt time.Time // zero: not deleted
}

const groupColumns = `SELECT id, company, name, policy, created_at, deleted_at FROM device_groups`

func (g *DeviceGroup) into() []any {
	return []any{&g.ID, &g.Company, &g.Name, &g.Policy, stamp{&g.CreatedAt}, stamp{&g.DeletedAt}}
}

// InsertGroup adds a group without a policy; ErrExists where one has its name.
func (t *Tx) InsertGroup(g DeviceGroup) error {
	n, err := t.exec(`INSERT INTO device_groups (id, company, name, policy, created_at, deleted_at) VALUES ($1, $2, $3, '', $4, 0)
		ON CONFLICT DO NOTHING`, g.ID, g.Company, g.Name, ns(g.CreatedAt))
	if err == nil && n == 0 {
		return ErrExists
	}
	return err
}

// Group returns a group, deleted or not, or ErrNotFound.
func (t *Tx) Group(company, id string) (g DeviceGroup, err error) {
	err = t.one(groupColumns+` WHERE company = $1 AND id = $2`, []any{company, id}, g.into()...)
	return g, err
}

// GroupNamed returns a group that is not deleted by its name, or ErrNotFound.
func (t *Tx) GroupNamed(company, name string) (g DeviceGroup, err error) {
	err = t.one(groupColumns+` WHERE company = $1 AND name = $2 AND deleted_at = 0`, []any{company, name}, g.into()...)
	return g, err
}

// Groups lists a company's groups that are not deleted, by name.
func (t *Tx) Groups(company string) (list []DeviceGroup, err error) {
	err = t.each(groupColumns+` WHERE company = $1 AND deleted_at = 0 ORDER BY name, id`, []any{company}, func(scan func(...any) error) error {
		var g DeviceGroup
		if err := scan(g.into()...); err != nil {
			return err
		}
		list = append(list, g)
		return nil
	})
	return list, err
}

// GroupSizes counts the managed, unrevoked devices of each group; the empty one
// has those that are in none, or in a deleted one.
func (t *Tx) GroupSizes(company string) (map[string]int, error) {
	sizes := map[string]int{}
	err := t.each(`SELECT COALESCE(g.id, ''), COUNT(*) FROM devices d
		LEFT JOIN device_groups g ON g.company = d.company AND g.id = d.device_group AND g.deleted_at = 0
		WHERE d.company = $1 AND d.code = '' AND d.account = '' AND d.revoked_at = 0 GROUP BY COALESCE(g.id, '')`, []any{company},
		func(scan func(...any) error) error {
			var id string
			var n int
			if err := scan(&id, &n); err != nil {
				return err
			}
			sizes[id] = n
			return nil
		})
	return sizes, err
}

// RenameGroup names a group that is not deleted anew. Look first whether the
// name is free: GroupNamed.
func (t *Tx) RenameGroup(company, id, name string) error {
	n, err := t.exec(`UPDATE device_groups SET name = $3 WHERE company = $1 AND id = $2 AND deleted_at = 0`, company, id, name)
	return found(n, err)
}

// DeleteGroup deletes a group, or with the zero time brings it back.
func (t *Tx) DeleteGroup(company, id string, at time.Time) error {
	n, err := t.exec(`UPDATE device_groups SET deleted_at = $3 WHERE company = $1 AND id = $2`, company, id, ns(at))
	return found(n, err)
}

// AssignGroupPolicy assigns a policy to a group; the empty one takes it away.
func (t *Tx) AssignGroupPolicy(company, id, policy string) error {
	n, err := t.exec(`UPDATE device_groups SET policy = $3 WHERE company = $1 AND id = $2 AND deleted_at = 0`, company, id, policy)
	return found(n, err)
}

// MoveDevice puts a device into a group; the empty one: into none.
func (t *Tx) MoveDevice(company, id, group string) error {
	n, err := t.exec(`UPDATE devices SET device_group = $3 WHERE company = $1 AND id = $2`, company, id, group)
	return found(n, err)
}
