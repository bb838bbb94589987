package redact

import (
	"regexp"
	"strings"
)

// rule finds one sort of secret. Rules run in the order of the table: those
// that know a whole value first, so that no other takes a part of it.
type rule struct {
	name string
	mark string
	// needs are literals, lower case, of which one must occur; none: always run.
	needs []string
	// re finds candidates; what its first group that matched holds is removed,
	// or the whole match if it has no group.
	re *regexp.Regexp
	// keep refuses a candidate: whole match, removed part.
	keep func(whole, part string) bool
	// find takes the place of re.
	find func(s string) []span
}

const (
	value = `("[^"]*"?|'[^']*'?|\S+)`
	// plainValue ends at the separators of queries, lists and JSON.
	plainValue = `("[^"]*"?|'[^']*'?|[^\s"'&;,]+)`
	// words that end the name of a secret setting.
	secretName = `(?:passw(?:or)?d|passwd|passphrase|passcode|pwd|senha|contrase(?:ñ|n)a|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|account[_-]?key|shared[_-]?key)`
)

var rules = []rule{
	{name: "pem", mark: MarkKey, needs: []string{"-----begin"},
		re: regexp.MustCompile(`-----BEGIN [A-Z0-9 ]+-----.*?(?:-----END [A-Z0-9 ]+-----|$)`)},
	{name: "jwt", mark: MarkToken, needs: []string{"eyj"},
		re: regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)*`)},
	{name: "known-token", mark: MarkToken, needs: []string{"gh", "glpat-", "akia", "asia", "xox", "sk-", "sk_", "rk_", "aiza",
		"npm_", "pypi-", "hf_", "sg.", "ya29.", "dop_v1_", "shp", "whsec_", "gsk_"},
		re: regexp.MustCompile(`\b(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{20,}|gl(?:pat|dt|rt|ptt)-[A-Za-z0-9_.-]{16,}` +
			`|(?:AKIA|ASIA)[0-9A-Z]{12,}|xox[a-z]-[A-Za-z0-9-]{8,}|sk-[A-Za-z0-9_-]{16,}|[sr]k_(?:live|test)_[A-Za-z0-9]{10,}` +
			`|AIza[A-Za-z0-9_-]{30,}|npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{16,}|hf_[A-Za-z0-9]{20,}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}` +
			`|ya29\.[A-Za-z0-9_-]{16,}|dop_v1_[a-f0-9]{32,}|shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{16,}|whsec_[A-Za-z0-9+/=]{16,}|gsk_[A-Za-z0-9]{20,})`)},
	{name: "url-userinfo", mark: MarkSecret, needs: []string{"://"},
		re: regexp.MustCompile(`(?i)\b[a-z][a-z0-9+.-]*://([^/\s?#]*(?:/[^/\s?#@]*)?)@`),
		// A path may hold an @; user:password never starts after a host's slash.
		keep: func(_, part string) bool { return strings.Contains(part, "/") && !strings.Contains(part, ":") }},
	{name: "authorization", mark: MarkToken, needs: []string{"authorization"},
		re:   regexp.MustCompile(`(?i)authorization["']?\s*[:=]\s*["']?(?:(?:bearer|basic|token|digest|negotiate|apikey)\s+)?([^\s"']+)`),
		keep: func(_, part string) bool { return schemes[strings.ToLower(part)] }},
	{name: "bearer", mark: MarkToken, needs: []string{"bearer"},
		re: regexp.MustCompile(`(?i)\bbearer\s+([A-Za-z0-9_.~+/=-]{8,})`)},
	{name: "header", mark: MarkToken, needs: []string{"cookie", "x-api-key", "x-auth-token"},
		re: regexp.MustCompile(`(?i)(?:\b(?:set-)?cookie|x-api-key|x-auth-token)["']?\s*:\s*` + value)},

	// Options of programs, each with the program that gives it that meaning:
	// -p alone is also a port, a parent folder or a process.
	{name: "long-option", mark: MarkSecret, needs: []string{"pass", "pwd", "secret", "token", "key", "senha"},
		re:   regexp.MustCompile(`(?i)(?:^|[\s"'])--?[a-z0-9_-]*` + secretName + `(?:[_-][a-z0-9_-]+)?(?:\s*=\s*|\s+)` + value),
		keep: func(_, part string) bool { return strings.HasPrefix(part, "--") }},
	{name: "slash-option", mark: MarkSecret, needs: []string{"/p"},
		re: regexp.MustCompile(`(?i)(?:^|\s)/(?:p|pw|pass|password|pwd):` + value)},
	{name: "glued-p", mark: MarkSecret, needs: []string{"-p"},
		re: regexp.MustCompile(`\b(?:mysql\w*|mariadb[\w-]*|sshpass|7z|7za|7zr|rar|unrar)\b[^|;]*?\s-p` + value)},
	{name: "option-value", mark: MarkSecret, needs: []string{"sshpass", "rdesktop", "plink", "pscp", "psftp", "putty", "redis-cli", "ldap", "mosquitto", "zip"},
		re: regexp.MustCompile(`\b(?:(?:sshpass|rdesktop)\b[^|;]*?\s-p|(?:plink|pscp|psftp|putty)(?:\.exe)?\b[^|;]*?\s-pw|redis-cli\b[^|;]*?\s-a` +
			`|ldap\w+\b[^|;]*?\s-w|mosquitto_\w+\b[^|;]*?\s-P|(?:zip|unzip)\b[^|;]*?\s-P)\s+` + value)},
	{name: "user-and-password", mark: MarkSecret, needs: []string{"curl", "wget", "http", "smbclient", "rpcclient", "mount"},
		re: regexp.MustCompile(`\b(?:(?:curl|https?)(?:\.exe)?\b[^|;]*?\s(?:-u\s*|--user[\s=]|--proxy-user[\s=]|-U\s*|-a\s+)["']?[^\s:"']+:` + value +
			`|(?:smbclient|rpcclient)\b[^|;]*?\s-U\s*["']?[^\s%"']+%` + value + `)`)},
	{name: "openssl", mark: MarkSecret, needs: []string{"pass:"},
		re: regexp.MustCompile(`\bpass:` + value)},
	{name: "windows-account", mark: MarkSecret, needs: []string{"net", "convertto-securestring"},
		re: regexp.MustCompile(`(?i)(?:\bnet1?(?:\.exe)?\s+use\b.*?/user:\S+\s+([^\s/]\S*)|\bnet1?(?:\.exe)?\s+use\s+(?:\S+:\s+)?\\\\\S+\s+([^\s/]\S*)` +
			`|\bnet1?(?:\.exe)?\s+user\s+[^\s/]\S*\s+([^\s/]\S*)|\bconvertto-securestring\s+(?:-string\s+)?` + value + `)`)},
	{name: "unix-account", mark: MarkSecret, needs: []string{"passwd", "sudo", "htpasswd"},
		re: regexp.MustCompile(`\b(?:echo\s+(?:-n\s+)?["']?[\w.-]+:([^\s"'|]+)["']?\s*\|\s*(?:sudo\s+)?chpasswd|echo\s+(?:-n\s+)?` + `("[^"]*"|'[^']*'|[^\s|]+)` +
			`\s*\|\s*(?:sudo\s+-\w*S|(?:sudo\s+)?passwd)|htpasswd\s+(?:-\w+\s+)*-\w*b\w*\s+\S+\s+\S+\s+` + value + `)`)},

	{name: "assignment", mark: MarkSecret, needs: []string{"pass", "pwd", "secret", "token", "key", "senha", "contrase"},
		re: regexp.MustCompile(`(?i)[\p{L}\p{N}_.-]*` + secretName + `(?:[_-]\w+)?["']?\s*[:=]+\s*` + plainValue),
		keep: func(whole, part string) bool { // the shell's working directories
			name, _, _ := strings.Cut(whole, "=")
			return (name == "PWD" || name == "OLDPWD") && strings.HasPrefix(part, "/")
		}},
	{name: "short-assignment", mark: MarkSecret, needs: []string{"pass", "pin", "pw", "otp", "clave"},
		re: regexp.MustCompile(`(?i)(?:^|[^\p{L}\p{N}])(?:pass|pin|pw|otp|clave|passw)["']?\s*[:=]+\s*` + plainValue)},
	{name: "context", mark: MarkSecret, find: contextual},

	{name: "e-mail", mark: MarkEmail, needs: []string{"@"},
		re: regexp.MustCompile(`[\p{L}\p{N}._%+'-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+`)},
	{name: "cnpj-letters", mark: MarkCNPJ, find: lettersCNPJ},
	{name: "numbers", mark: MarkCard, find: numbers},
}

// schemes of an Authorization header; the word alone is no secret.
var schemes = set("bearer basic token digest negotiate apikey")

// apply runs the rule over all pieces that are not marks.
func (r rule) apply(ps []piece) []piece {
	for i := 0; i < len(ps); i++ {
		if ps[i].mark || !r.wanted(ps[i].text) {
			continue
		}
		spans := r.spans(ps[i].text)
		if len(spans) == 0 {
			continue
		}
		next := replaced(ps[i].text, spans)
		rest := append(next, ps[i+1:]...)
		ps = append(ps[:i:i], rest...)
		i += len(next) - 1
	}
	return ps
}

func (r rule) wanted(s string) bool {
	if len(r.needs) == 0 {
		return true
	}
	low := strings.ToLower(s)
	for _, n := range r.needs {
		if strings.Contains(low, n) {
			return true
		}
	}
	return false
}

func (r rule) spans(s string) []span {
	if r.find != nil {
		return r.find(s)
	}
	var out []span
	for _, m := range r.re.FindAllStringSubmatchIndex(s, -1) {
		from, to := m[0], m[1]
		for g := 2; g < len(m); g += 2 {
			if m[g] >= 0 {
				from, to = m[g], m[g+1]
				break
			}
		}
		if from == to || r.keep != nil && r.keep(s[m[0]:m[1]], s[from:to]) {
			continue
		}
		out = append(out, span{from, to, r.mark})
	}
	return out
}
