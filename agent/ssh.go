package agent

import (
	"context"
	"os/user"
	"slices"
	"strconv"

	"aval/agent/ipc"
	"aval/agent/policy"
	"aval/agent/session/watch"
)

// watcherSSH is the name of the watcher of terminal logins.
const watcherSSH = "ssh"

// watchSSH follows terminal logins: by logind where there is one, and by the
// PAM hook in any case.
func (a *Agent) watchSSH() {
	a.ssh = watch.NewSSH(a.log, watchSink{a, watcherSSH}, a.watchedLogin)
	a.work.Go(func() {
		if err := a.ssh.Run(a.ctx, a.logind); err != nil && a.ctx.Err() == nil {
			a.log.Error("watch logins", "err", err)
		}
	})
}

// pam passes a message of the PAM hook on.
func (a *Agent) pam(m ipc.SessionPAM) error {
	go a.ssh.PAM(m) // its own goroutine takes it; the loop must not wait
	return nil
}

// watchedLogin tells whether the policy names a login, by account, group or key.
// It is called by the watcher's goroutine. An unreadable policy names none.
func (a *Agent) watchedLogin(f watch.Found) bool {
	if a.policies == nil {
		return false
	}
	var names policy.SSH
	if err := a.do(context.WithoutCancel(a.ctx), func() { names = a.policyNow().Effective.SSH() }); err != nil {
		return false
	}
	if slices.Contains(names.Accounts, f.User) || (f.KeyFingerprint != "" && slices.Contains(names.Keys, f.KeyFingerprint)) {
		return true
	}
	return len(names.Groups) > 0 && slices.ContainsFunc(groupsOf(f), func(g string) bool { return slices.Contains(names.Groups, g) })
}

// groupsOf names the groups of a login: those that the kernel gave its
// processes, and those that the system's data base has for the account.
func groupsOf(f watch.Found) []string {
	var ids []string
	for _, g := range f.GIDs {
		ids = append(ids, strconv.Itoa(int(g)))
	}
	if u, err := ipc.LookupUser(f.UID); err == nil {
		if more, err := u.GroupIds(); err == nil {
			ids = append(ids, more...)
		}
	}
	var out []string
	for _, id := range ids {
		if g, err := user.LookupGroupId(id); err == nil && !slices.Contains(out, g.Name) {
			out = append(out, g.Name)
		}
	}
	return out
}
