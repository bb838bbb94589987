package source

import (
	"context"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/windows/registry"

	"aval/agent/policy"
	"aval/agent/winreg"
)

// set writes one value of the test's own key in the registry.
func set(t *testing.T, path, name string, v any) {
	t.Helper()
	k, _, err := registry.CreateKey(registry.CURRENT_USER, path, registry.ALL_ACCESS)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	switch v := v.(type) {
	case string:
		err = k.SetStringValue(name, v)
	case int:
		err = k.SetDWordValue(name, uint32(v))
	case []byte:
		err = k.SetBinaryValue(name, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func remove(path string) {
	k, err := registry.OpenKey(registry.CURRENT_USER, path, registry.ENUMERATE_SUB_KEYS)
	if err != nil {
		return
	}
	names, _ := k.ReadSubKeyNames(-1)
	k.Close()
	for _, n := range names {
		remove(path + `\` + n)
	}
	_ = registry.DeleteKey(registry.CURRENT_USER, path)
}

// TestReadRegistry writes what the administrative templates write, in a key of
// the test's own, and reads and watches it.
func TestReadRegistry(t *testing.T) {
	const root = `Software\AvalTest`
	const path = root + `\Aval`
	remove(root)
	t.Cleanup(func() { remove(root) })
	if _, err := readRegistry(registry.CURRENT_USER, path, 0); !notExist(err) {
		t.Fatalf("no such key is a fact: %v", err)
	}
	set(t, path, "AccessControl", "denied")
	set(t, path, "QuestionSeconds", 60)
	set(t, path+`\SSHAccounts`, "1", "first")
	set(t, path+`\SSHAccounts`, "2", "second")
	set(t, path+`\Recommended\Languages`, "1", "pt-BR")
	load := func() (policy.Effective, []policy.Problem) {
		tree, err := readRegistry(registry.CURRENT_USER, path, 0)
		files, problems := registryFiles(`HKCU\`+path, tree)
		e, problems, err := judged(files, problems, err)
		if err != nil {
			t.Fatal(err)
		}
		return e, problems
	}
	e, problems := load()
	if len(problems) > 0 || e.Get(policy.AccessControl).Value.Text != "denied" || !slices.Equal(e.SSH().Accounts, []string{"first", "second"}) ||
		e.QuestionTime() != time.Minute || !slices.Equal(e.Languages(), []string{"pt-BR"}) {
		t.Fatalf("%v, %+v", problems, e.All())
	}

	ctx, stop := context.WithCancel(t.Context())
	seen, ended := make(chan struct{}, 100), make(chan error, 1)
	go func() {
		ended <- winreg.Watch(ctx, registry.CURRENT_USER, root, registry.WOW64_64KEY, settle, func() { seen <- struct{}{} })
	}()
	wait := func(what string) {
		t.Helper()
		select {
		case <-seen:
		case err := <-ended:
			t.Fatalf("%s: watching ended: %v", what, err)
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: not seen", what)
		}
	}
	wait("at first")
	set(t, path, "AccessControl", "allowed")
	wait("a value changes")
	set(t, path+`\Recommended`, "AskAgainMinutes", 60)
	wait("a value appears below")
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}

	set(t, path, "Insights", []byte{1})
	if _, problems := load(); len(problems) != 1 {
		t.Errorf("%v", problems)
	}
}
