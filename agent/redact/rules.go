package redact

import (
	"slices"
	"strings"
	"sync"
)

// rule finds one sort of secret. Rules run in the order of the table: those
// that know a whole value first, so that no other takes a part of it.
type rule struct {
	name string
	mark string
	// only are words, lower case, of which one must be in the text for the rule
	// to count at all; none: it always counts.
	only []string
	// on is what a text must hold for the rule to be able to find anything: the
	// scan looks for all of it at once and only rules that it named run. An on
	// that asks for too much leaks a secret: TestScanMissesNothing. The rules for
	// numbers are chosen by what stands around digits instead: see figures.
	on []trigger
	// re finds candidates; what its first group that matched holds is removed,
	// or the whole match if it has no group. It is compiled when first needed.
	re func() *expression
	// keep refuses a candidate: whole match, removed part.
	keep func(whole, part string) bool
	// find takes the place of re.
	find func(s string) []span
}

// lazy compiles an expression when it is first needed: hundreds are never.
func lazy(expr string) func() *expression {
	return sync.OnceValue(func() *expression { return compiled(expr) })
}

const (
	value = `("[^"]*"?|'[^']*'?|\S+)`
	// plainValue ends at the separators of queries, lists and JSON.
	plainValue = `("[^"]*"?|'[^']*'?|[^\s"'&;,]+)`
	// optionValue is no option by itself, which would follow one without a value.
	optionValue = `("[^"]*"?|'[^']*'?|[^\s"'-]\S*|-[^\s-]\S+)`
	// words that end the name of a secret setting.
	secretName = `(?:passw(?:or)?d|passwd|passphrase|passcode|pwd|senha|contrase(?:ñ|n)a|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|account[_-]?key|shared[_-]?key)`
)

// secretWords are the literals of secretName.
var secretWords = []string{"passw", "passphrase", "passcode", "pwd", "senha", "contrase", "secret", "token", "key"}

// ownRules are the rules of this package; those of gitleaks come before what
// only its context tells.
var ownRules = []rule{
	{name: "pem", mark: MarkKey, on: lits("-----begin", "---- begin", "putty-user-key"),
		re: lazy(`-----BEGIN [A-Z0-9 ]+-----.*?(?:-----END [A-Z0-9 ]+-----|$)|---- BEGIN [A-Z0-9 ]+ ----.*?(?:---- END [A-Z0-9 ]+ ----|$)|PuTTY-User-Key-File-\d.*?(?:Private-MAC: [0-9a-f]+|$)`)},
	{name: "jwt", mark: MarkToken, on: lits("eyj"),
		re: lazy(`\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)*`)},
	{name: "known-token", mark: MarkToken, on: slices.Concat(lits("github_pat_", "glpat-", "gldt-", "glrt-", "glptt-", "_live_", "_test_", "npm_", "pypi-", "ya29.", "dop_v1_", "shpat_", "shpca_", "shppa_", "shpss_", "whsec_", "gsk_"),
		guarded(run(6), "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "akia", "asia", "xox", "sk-", "aiza", "hf_", "sg.")),
		re: lazy(`\b(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{20,}|gl(?:pat|dt|rt|ptt)-[A-Za-z0-9_.-]{16,}` +
			`|(?:AKIA|ASIA)[0-9A-Z]{12,}|xox[a-z]-[A-Za-z0-9-]{8,}|sk-[A-Za-z0-9_-]{16,}|[sr]k_(?:live|test)_[A-Za-z0-9]{10,}` +
			`|AIza[A-Za-z0-9_-]{30,}|npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{16,}|hf_[A-Za-z0-9]{20,}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}` +
			`|ya29\.[A-Za-z0-9_-]{16,}|dop_v1_[a-f0-9]{32,}|shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{16,}|whsec_[A-Za-z0-9+/=]{16,}|gsk_[A-Za-z0-9]{20,})`)},
	{name: "url-userinfo", mark: MarkSecret, on: guarded(atLater, "://"),
		re: lazy(`(?i)\b[a-z][a-z0-9+.-]*://([^/\s?#]*(?:/[^/\s?#@]*)?)@`),
		// A path may hold an @; user:password never starts after a host's slash.
		keep: func(_, part string) bool { return strings.Contains(part, "/") && !strings.Contains(part, ":") }},
	{name: "authorization", mark: MarkToken, on: lits("authorization"),
		re:   lazy(`(?i)authorization["']?\s*[:=]\s*["']?(?:(?:bearer|basic|token|digest|negotiate|apikey)\s+)?([^\s"']+)`),
		keep: func(_, part string) bool { return schemes[strings.ToLower(part)] }},
	{name: "bearer", mark: MarkToken, on: lits("bearer "),
		re: lazy(`(?i)\bbearer\s+([A-Za-z0-9_.~+/=-]{8,})`)},
	{name: "header", mark: MarkToken, on: lits("cookie:", "cookie\"", "cookie'", "cookie :", "x-api-key", "x-auth-token"),
		re: lazy(`(?i)(?:\b(?:set-)?cookie|x-api-key|x-auth-token)["']?\s*:\s*` + value)},

	// Options of programs, each with the program that gives it that meaning:
	// -p alone is also a port, a parent folder or a process.
	{name: "long-option", mark: MarkSecret, on: guarded(option, secretWords...),
		re:   dashed(`(?i)(?:^|[\s"'])--?[a-z0-9_-]*` + secretName + `(?:[_-][a-z0-9_-]+)?(?:\s*=\s*|\s+)` + optionValue),
		keep: func(whole, _ string) bool { return saysWhere(whole) }},
	{name: "slash-option", mark: MarkSecret, on: lits("/p:", "/pw:", "/pass:", "/password:", "/pwd:"),
		re: lazy(`(?i)(?:^|\s)/(?:p|pw|pass|password|pwd):` + value)},
	{name: "glued-p", mark: MarkSecret, on: guarded(later("-p"), "mysql", "mariadb", "sshpass", "7z", "rar"),
		re: lazy(`\b(?:mysql\w*|mariadb[\w-]*|sshpass|7z|7za|7zr|rar|unrar)\b[^|;]*?\s-p` + value)},
	{name: "option-value", mark: MarkSecret, on: slices.Concat(guarded(later("-p "), "sshpass", "rdesktop"), guarded(later("-pw "), "plink", "pscp", "psftp", "putty"),
		guarded(later("-a "), "redis-cli"), guarded(later("-w "), "ldap"), guarded(later("-P "), "mosquitto", "zip")),
		re: lazy(`\b(?:(?:sshpass|rdesktop)\b[^|;]*?\s-p|(?:plink|pscp|psftp|putty)(?:\.exe)?\b[^|;]*?\s-pw|redis-cli\b[^|;]*?\s-a` +
			`|ldap\w+\b[^|;]*?\s-w|mosquitto_\w+\b[^|;]*?\s-P|(?:zip|unzip)\b[^|;]*?\s-P)\s+` + value)},
	{name: "user-and-password", mark: MarkSecret, on: slices.Concat(guarded(later("-u", "-U", "-a ", "--user", "--proxy-user"), "curl", "http"), lits("smbclient", "rpcclient")),
		re: lazy(`\b(?:(?:curl|https?)(?:\.exe)?\b[^|;]*?\s(?:-u\s*|--user[\s=]|--proxy-user[\s=]|-U\s*|-a\s+)["']?[^\s:"']+:` + value +
			`|(?:smbclient|rpcclient)\b[^|;]*?\s-U\s*["']?[^\s%"']+%` + value + `)`)},
	{name: "login-p", mark: MarkSecret, on: guarded(later("-p ", "-p="), "login", "mongo"),
		re: lazy(`\b(?:login|mongo(?:sh|dump|restore)?)\b[^|;]*?\s-p[\s=]` + value)},
	{name: "setx", mark: MarkSecret, on: lits("setx "),
		re: lazy(`(?i)\bsetx\s+(?:/m\s+)?\w*` + secretName + `\w*\s+` + value)},
	{name: "openssl", mark: MarkSecret, on: lits("pass:"),
		re: lazy(`\bpass:` + value)},
	{name: "windows-account", mark: MarkSecret, on: lits("net use", "net1 use", "net.exe use", "net1.exe use", "net user", "net1 user", "net.exe user", "net1.exe user", "convertto-securestring"),
		re: lazy(`(?i)(?:\bnet1?(?:\.exe)?\s+use\b.*?/u(?:ser)?:\S+\s+("[^"]*"|[^\s/]\S*)|\bnet1?(?:\.exe)?\s+use\s+(?:\S+:\s+)?\\\\\S+\s+("[^"]*"|[^\s/]\S*)` +
			`|\bnet1?(?:\.exe)?\s+user\s+[^\s/]\S*\s+([^\s/]\S*)|\bconvertto-securestring\s+(?:-string\s+)?` + value + `)`)},
	{name: "unix-account", mark: MarkSecret, on: lits("passwd", "sudo -", "htpasswd"),
		re: lazy(`\b(?:echo\s+(?:-n\s+)?["']?[\w.-]+:([^\s"'|]+)["']?\s*\|\s*(?:sudo\s+)?chpasswd|echo\s+(?:-n\s+)?` + `("[^"]*"|'[^']*'|[^\s|]+)` +
			`\s*\|\s*(?:sudo\s+-\w*S|(?:sudo\s+)?passwd)|htpasswd\s+(?:-\w+\s+)*-\w*b\w*\s+\S+\s+\S+\s+` + value + `)`)},

	{name: "assignment", mark: MarkSecret, on: guarded(assigned, secretWords...),
		re: named(secretWords, `(?i)[\p{L}\p{N}_.-]*`+secretName+`(?:[_-]\w+)?["']?\s*(?:[:=]+|->|=>|→)\s*`+plainValue),
		keep: func(whole, part string) bool { // the shell's working directories
			name, _, _ := strings.Cut(whole, "=")
			return (name == "PWD" || name == "OLDPWD") && strings.HasPrefix(part, "/")
		}},
	{name: "short-assignment", mark: MarkSecret, on: guarded(assigned, "pass", "pin", "pw", "otp", "clave", "cvv", "cvc"),
		re: lazy(`(?i)(?:^|[^\p{L}\p{N}])(?:pass|pin|pw|otp|clave|passw|cvv|cvc)["']?\s*[:=]+\s*` + plainValue)},
	{name: "context", mark: MarkSecret, on: append(lits("contrase\u00f1a", "contrase\u00d1a", "p\u0130n", "d\u0130go"), guarded(secretHere, contextWords...)...), find: contextual},

	{name: "e-mail", mark: MarkEmail, on: lits("@"), find: emails},
	{name: "spoken-e-mail", mark: MarkEmail, on: guarded(dotLater, "(at)", "[at]", "{at}", " at ", "arroba"), re: spokenEmails},
	{name: "lettered", on: lits("cnpj", "ausweis", "perso", "identity card", "id card"), find: lettered},
	{name: "mac", mark: MarkMAC, on: []trigger{{lit: "aa:aa", class: hexLetters, guard: macHere}, {lit: "aa-aa", class: hexLetters, guard: macHere}, {lit: "aa.aa", class: hexLetters, guard: macHere}}, find: macs},
	{name: "ipv6", mark: MarkIP, on: []trigger{{lit: "a:a", class: hexLetters, guard: colons}, {lit: "::"}}, find: ip6},
	{name: "ipv4", mark: MarkIP, find: ip4},
	{name: "international", mark: MarkPhone, on: guarded(plusHere, "+"), find: international},
	{name: "numbers", find: numbers},
	{name: "lookalikes", find: lookalikes},
	{name: "phones", on: guarded(bracketHere, "("), find: phones},
}

// saysWhere: an option that says where a secret is read from (--password-stdin,
// --password-file), that there is none (--no-password), or whose (--list-secret-keys).
func saysWhere(option string) bool {
	name := strings.TrimLeft(strings.ToLower(option), " \"'")
	if i := strings.IndexAny(name, "= \t"); i >= 0 {
		name = name[:i]
	}
	for _, end := range []string{"-stdin", "-file", "_file"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	for _, begin := range []string{"--no-", "--list-", "--export-", "--delete-"} {
		if strings.HasPrefix(name, begin) {
			return true
		}
	}
	return false
}

// schemes of an Authorization header; the word alone is no secret.
var schemes = set("bearer basic token digest negotiate apikey")

// builtin are all rules that nobody can remove, in their order.
var builtin = func() []rule {
	i := slices.IndexFunc(ownRules, func(r rule) bool { return r.name == "context" })
	return slices.Concat(ownRules[:i], gitleaks(), ownRules[i:])
}()

func (r *rule) spans(s string) []span {
	if r.find != nil {
		return r.find(s)
	}
	var out []span
	re := r.re()
	re.each(s, func(m []int) {
		from, to := m[0], m[1]
		for g := 2; g < len(m); g += 2 {
			if m[g] >= 0 {
				from, to = m[g], m[g+1]
				break
			}
		}
		if from < to && (r.keep == nil || !r.keep(s[m[0]:m[1]], s[from:to])) {
			out = append(out, span{from, to, r.mark})
		}
	})
	return out
}
