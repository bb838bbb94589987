package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/windows/registry"

	"aval/agent/policy"
	"aval/agent/policy/source"
)

// The key in which the installer leaves what it was given, and what is in it
// (installer/windows/aval.wxs). The service takes it at its start.
const (
	setupKey     = `SOFTWARE\Aval\Setup`
	setupToken   = "TokenFile"
	setupFile    = "SettingsFile"
	setupServer  = "ServerURL"
	importedKey  = `SOFTWARE\Aval\Imported` // the names of policy values that came out of SettingsFile
	maxTokenFile = 64 << 10
)

// takeSetup makes of the installer's properties what they stand for: recommended
// values of the policy, and a token file where the service looks for one. What was
// taken is removed, so that it counts once; what could not be is said in the status
// and stays for the next start.
func (a *Agent) takeSetup() {
	if !a.cfg.StartHelpers {
		return
	}
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, setupKey, registry.QUERY_VALUE|registry.SET_VALUE|registry.WOW64_64KEY)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		a.setupFailed("What the installer was given", err)
		return
	}
	defer k.Close()
	if path, _, err := k.GetStringValue(setupFile); err == nil && path != "" {
		if err := importSettings(path); err != nil {
			a.setupFailed("The settings file", err)
		} else if err := k.DeleteValue(setupFile); err != nil {
			a.setupFailed("The settings file", err)
		}
	}
	path, _, err := k.GetStringValue(setupToken)
	if err != nil || path == "" {
		return
	}
	server, _, _ := k.GetStringValue(setupServer)
	if err := takeToken(path, server, a.cfg.TokenDir); err != nil {
		a.setupFailed("The token file", err)
		return
	}
	if err := k.DeleteValue(setupToken); err != nil {
		a.setupFailed("The token file", err)
	}
}

func (a *Agent) setupFailed(what string, err error) {
	a.log.Error("take the installer's properties", "what", what, "err", err)
	a.notes = appendNote(a.notes, what+" of the installation could not be used: "+err.Error()+".")
}

// takeToken moves a token file to where the service looks for them. One that holds
// nothing but the token gets the server's address.
func takeToken(path, server, dir string) error {
	if dir == "" {
		return errors.New("there is no folder for it")
	}
	raw, err := source.ReadSafe(path, maxTokenFile)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if text := strings.TrimSpace(string(raw)); !strings.HasPrefix(text, "{") && server != "" {
		if raw, err = json.Marshal(map[string]string{"server": server, "token": text}); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	to := filepath.Join(dir, "installer.json")
	if err := os.WriteFile(to, raw, 0o600); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	return nil
}

// importSettings writes the values of a policy file into the recommended layer,
// which changes no choice that a person has made. A file with anything wrong in it
// changes nothing.
func importSettings(path string) error {
	raw, err := source.ReadSafe(path, policy.MaxFile)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	values, problems := policy.Parse(path, raw)
	if len(problems) > 0 {
		return errors.New(problems[0].String())
	}
	to, _, err := registry.CreateKey(registry.LOCAL_MACHINE, policy.RegistryKey+`\`+policy.Recommended, registry.SET_VALUE|registry.CREATE_SUB_KEY|registry.WOW64_64KEY)
	if err != nil {
		return fmt.Errorf("write policy: %w", err)
	}
	defer to.Close()
	names, _, err := registry.CreateKey(registry.LOCAL_MACHINE, importedKey, registry.SET_VALUE|registry.WOW64_64KEY)
	if err != nil {
		return fmt.Errorf("write policy: %w", err)
	}
	defer names.Close()
	for _, v := range values {
		err := names.SetStringValue(string(v.Name), path)
		if err == nil {
			err = writeValue(to, v)
		}
		if err != nil {
			return fmt.Errorf("write policy %s: %w", v.Name, err)
		}
	}
	return nil
}

// writeValue writes a value as registry_windows.go of agent/policy/source reads it.
func writeValue(k registry.Key, v policy.Value) error {
	d, _ := policy.Define(v.Name)
	switch d.Type {
	case policy.Number:
		return k.SetDWordValue(string(v.Name), uint32(v.Number))
	case policy.List:
		if err := registry.DeleteKey(k, string(v.Name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		list, _, err := registry.CreateKey(k, string(v.Name), registry.SET_VALUE|registry.WOW64_64KEY)
		if err != nil {
			return err
		}
		defer list.Close()
		for i, entry := range v.List {
			if err := list.SetStringValue(strconv.Itoa(i+1), entry); err != nil {
				return err
			}
		}
		return nil
	}
	return k.SetStringValue(string(v.Name), v.Text)
}

// ForgetSetup takes back what importSettings wrote, when Aval is removed. Keys that
// hold nothing else go too; what other management put there stays.
func ForgetSetup() error {
	names, err := registry.OpenKey(registry.LOCAL_MACHINE, importedKey, registry.QUERY_VALUE|registry.WOW64_64KEY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("take back policy: %w", err)
	}
	all, err := names.ReadValueNames(-1)
	names.Close()
	if err != nil {
		return fmt.Errorf("take back policy: %w", err)
	}
	recommended := policy.RegistryKey + `\` + policy.Recommended
	if k, err := registry.OpenKey(registry.LOCAL_MACHINE, recommended, registry.SET_VALUE|registry.ENUMERATE_SUB_KEYS|registry.WOW64_64KEY); err == nil {
		for _, name := range all {
			_ = k.DeleteValue(name)
			_ = registry.DeleteKey(k, name) // a list
		}
		k.Close()
	}
	for _, path := range []string{importedKey, recommended, policy.RegistryKey, setupKey, `SOFTWARE\Aval`} {
		if empty(path) {
			_ = registry.DeleteKey(registry.LOCAL_MACHINE, path)
		}
		if path == importedKey {
			_ = registry.DeleteKey(registry.LOCAL_MACHINE, path)
		}
	}
	return nil
}

func empty(path string) bool {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, path, registry.QUERY_VALUE|registry.ENUMERATE_SUB_KEYS|registry.WOW64_64KEY)
	if err != nil {
		return false
	}
	defer k.Close()
	i, err := k.Stat()
	return err == nil && i.ValueCount == 0 && i.SubKeyCount == 0
}
