package capture

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"aval/agent/event"
	"aval/agent/winreg"
)

// settingFiles are files that hold settings of the system, and what they are
// about: the names of other computers, as everywhere.
var settingFiles = map[string]string{
	strings.ToLower(filepath.ToSlash(filepath.Join(os.Getenv("SystemRoot"), `System32\drivers\etc\hosts`))): "network",
}

// settingKey is a part of the registry that holds settings, and which of its
// values are somebody's choice: what a network or a clock has been told by others
// changes by itself.
type settingKey struct {
	setting, path string
	values        []string // of the key itself
	below         []string // of each key below it; nil: those are not read
}

// settingKeys: Microsoft Learn, "TCP/IP and NBT configuration parameters", "Time
// zone information" and "Windows Time service tools and settings"; the printers'
// keys are those of the spooler (winspool).
var settingKeys = []settingKey{
	{"network", `SYSTEM\CurrentControlSet\Services\Tcpip\Parameters`, []string{"NV Hostname", "NV Domain", "NameServer", "SearchList"}, nil},
	{"network", `SYSTEM\CurrentControlSet\Services\Tcpip\Parameters\Interfaces`, nil, []string{"EnableDHCP", "IPAddress", "SubnetMask", "DefaultGateway", "NameServer", "Domain"}},
	{"network", `SYSTEM\CurrentControlSet\Services\Tcpip6\Parameters\Interfaces`, nil, []string{"EnableDHCP", "NameServer"}},
	{"time", `SYSTEM\CurrentControlSet\Control\TimeZoneInformation`, []string{"TimeZoneKeyName", "StandardName", "DynamicDaylightTimeDisabled"}, nil},
	{"time", `SYSTEM\CurrentControlSet\Services\W32Time\Parameters`, []string{"NtpServer", "Type"}, nil},
	{"printers", `SYSTEM\CurrentControlSet\Control\Print\Printers`, []string{"DefaultSpoolDirectory"}, []string{"Name", "Port", "Printer Driver", "Share Name"}},
}

const (
	settingSettle = fileSettle
	// accountsEvery is how often the accounts are listed: what holds them tells
	// nobody of a change.
	accountsEvery = 5 * time.Second
	maxSettings   = 2000 // keys below one
)

// of reads the values of a key that are somebody's choice.
func (s settingKey) of(root registry.Key) map[settingValue]string {
	out := map[settingValue]string{}
	k, err := registry.OpenKey(root, s.path, registry.QUERY_VALUE|registry.ENUMERATE_SUB_KEYS|registry.WOW64_64KEY)
	if err != nil {
		return out
	}
	defer k.Close()
	if len(s.values) > 0 {
		out[settingValue{s.setting, `HKLM\` + s.path}] = valuesOf(k, s.values)
	}
	if s.below == nil {
		return out
	}
	names, _ := k.ReadSubKeyNames(maxSettings)
	for _, name := range names {
		b, err := registry.OpenKey(k, name, registry.QUERY_VALUE|registry.WOW64_64KEY)
		if err != nil {
			continue
		}
		if v := valuesOf(b, s.below); strings.Trim(v, "\x00\x01") != "" {
			out[settingValue{s.setting, `HKLM\` + s.path + `\` + name}] = v
		}
		b.Close()
	}
	return out
}

// valuesOf are the values in one text, only to be compared.
func valuesOf(k registry.Key, names []string) string {
	var b strings.Builder
	for _, name := range names {
		if s, _, err := k.GetStringValue(name); err == nil {
			b.WriteString(s)
		} else if l, _, err := k.GetStringsValue(name); err == nil {
			b.WriteString(strings.Join(l, "\x01"))
		} else if n, _, err := k.GetIntegerValue(name); err == nil {
			b.WriteString(strconv.FormatUint(n, 10))
		}
		b.WriteByte(0)
	}
	return b.String()
}

// runRegistry tells which settings are changed that the registry holds: where
// they are, never what they are.
func runRegistry(ctx context.Context, g *gate, _ *work) error {
	return followSettings(ctx, registry.LOCAL_MACHINE, settingKeys, g)
}

func followSettings(ctx context.Context, root registry.Key, keys []settingKey, g *gate) error {
	var followers []func(context.Context) error
	var mu sync.Mutex // one tells at a time
	var saidAt time.Time
	said := map[string]bool{}
	for _, s := range keys {
		if k, err := registry.OpenKey(root, s.path, registry.NOTIFY|registry.WOW64_64KEY); err != nil {
			continue // what it is of is not installed
		} else {
			k.Close()
		}
		before := s.of(root)
		followers = append(followers, func(ctx context.Context) error {
			return winreg.Watch(ctx, root, s.path, registry.WOW64_64KEY, settingSettle, func() {
				now := s.of(root)
				changes := settingChanges(before, now)
				before = now
				mu.Lock()
				defer mu.Unlock()
				if time.Since(saidAt) > settingSettle {
					clear(said)
				}
				for _, c := range changes { // one event of a setting, however many of its values
					if !said[c.setting] {
						said[c.setting], saidAt = true, time.Now()
						g.pass(event.SettingChanged, saidAt, map[string]string{"setting": c.setting, "name": c.place})
					}
				}
			})
		})
	}
	return together(ctx, followers...)
}

// runAccounts tells that accounts or groups of this computer are changed: that,
// and neither which nor how.
func runAccounts(ctx context.Context, g *gate, _ *work) error {
	var before map[settingValue]string
	return every(ctx, accountsEvery, func() error {
		now, err := accounts()
		if err != nil {
			return err
		}
		if before != nil && len(settingChanges(before, now)) > 0 {
			g.pass(event.SettingChanged, time.Now(), map[string]string{"setting": "user", "name": `HKLM\SAM`})
		}
		before = now
		return nil
	})
}

var (
	netapi32           = windows.NewLazySystemDLL("netapi32.dll")
	netLocalGroupEnum  = netapi32.NewProc("NetLocalGroupEnum")
	netLocalGroupUsers = netapi32.NewProc("NetLocalGroupGetMembers")
)

// netMost bounds one list, in bytes. A computer with more accounts is a domain's own:
// there nobody's session is told from what all its administrators do.
const netMost = 256 << 10

// userInfo1 is USER_INFO_1 of lmaccess.h.
type userInfo1 struct {
	name, password         *uint16
	passwordAge, privilege uint32
	home, comment          *uint16
	flags                  uint32
	script                 *uint16
}

// accounts lists the users with what they may do, and the members of each group
// (NetUserEnum, NetLocalGroupEnum, NetLocalGroupGetMembers).
func accounts() (map[settingValue]string, error) {
	out := map[settingValue]string{}
	var buf *byte
	var n, total, resume uint32
	if err := windows.NetUserEnum(nil, 1, 0, &buf, netMost, &n, &total, &resume); err != nil {
		if buf != nil {
			windows.NetApiBufferFree(buf)
		}
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	for _, u := range unsafe.Slice((*userInfo1)(unsafe.Pointer(buf)), n) {
		const lockedOut = 0x10 // UF_LOCKOUT comes and goes by itself
		out[settingValue{"user", windows.UTF16PtrToString(u.name)}] = fmt.Sprint(u.privilege, u.flags&^lockedOut)
	}
	windows.NetApiBufferFree(buf)
	if netLocalGroupEnum.Find() != nil || netLocalGroupUsers.Find() != nil {
		return out, nil
	}
	names, n := netList(func(buf **byte, n, total *uint32, resume *uintptr) uintptr {
		r, _, _ := netLocalGroupEnum.Call(0, 0, uintptr(unsafe.Pointer(buf)), netMost, uintptr(unsafe.Pointer(n)), uintptr(unsafe.Pointer(total)), uintptr(unsafe.Pointer(resume)))
		return r
	})
	if names == nil {
		return out, nil
	}
	defer windows.NetApiBufferFree(names)
	for _, group := range unsafe.Slice((**uint16)(unsafe.Pointer(names)), n) { // LOCALGROUP_INFO_0
		members, m := netList(func(buf **byte, n, total *uint32, resume *uintptr) uintptr {
			r, _, _ := netLocalGroupUsers.Call(0, uintptr(unsafe.Pointer(group)), 0, uintptr(unsafe.Pointer(buf)), netMost, uintptr(unsafe.Pointer(n)), uintptr(unsafe.Pointer(total)), uintptr(unsafe.Pointer(resume)))
			return r
		})
		var sids []string
		if members != nil {
			for _, sid := range unsafe.Slice((**windows.SID)(unsafe.Pointer(members)), m) { // LOCALGROUP_MEMBERS_INFO_0
				sids = append(sids, sid.String())
			}
			windows.NetApiBufferFree(members)
		}
		out[settingValue{"user", "group " + windows.UTF16PtrToString(group)}] = strings.Join(sids, " ")
	}
	return out, nil
}

// netList calls one of the listing functions; nil: it gave nothing.
func netList(call func(buf **byte, n, total *uint32, resume *uintptr) uintptr) (*byte, uint32) {
	var buf *byte
	var n, total uint32
	var resume uintptr
	if r := call(&buf, &n, &total, &resume); r != 0 && buf != nil {
		windows.NetApiBufferFree(buf)
		buf = nil
	}
	return buf, n
}
