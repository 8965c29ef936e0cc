package flags

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"linger"
	"linger/ask"
	"linger/dial"
	"linger/fault"
	"linger/live"
	"linger/rig/host"
)

// ReachFlags say how a server of the world outside is reached, and what requests say, in
// curl's words; the same in every verb.
type ReachFlags struct {
	Insecure bool   `short:"k" group:"As in curl:" help:"Take any certificate of the server."`
	CACert   string `name:"cacert" group:"As in curl:" placeholder:"FILE" help:"Certificates, in PEM, of who may vouch for the server; default the system's."`
	Cert     string `group:"As in curl:" placeholder:"FILE" help:"Certificate of the client, in PEM."`
	Key      string `group:"As in curl:" placeholder:"FILE" help:"Its key, in PEM; default in the same file."`

	Header    []string `short:"H" sep:"none" group:"As in curl:" placeholder:"NAME: VALUE" help:"Send this field in each request; 'NAME:' leaves one out; @FILE has one a line. May stand several times."`
	UserAgent string   `short:"A" group:"As in curl:" placeholder:"NAME" help:"Send this as User-Agent."`
	User      string   `short:"u" sep:"none" group:"As in curl:" placeholder:"USER:PASSWORD" help:"Send these by Basic authentication."`
	Request   string   `short:"X" group:"As in curl:" placeholder:"METHOD" help:"Ask for the URL by this method; default GET."`
	Data      []string `short:"d" sep:"none" group:"As in curl:" placeholder:"DATA" help:"Send this content with it, by POST; @FILE sends a file's. Several are joined by &."`

	Resolve    []string `sep:"none" group:"As in curl:" placeholder:"HOST:PORT:ADDRESS" help:"Take this address for a host and port. May stand several times."`
	ConnectTo  []string `sep:"none" group:"As in curl:" placeholder:"HOST1:PORT1:HOST2:PORT2" help:"Connect to HOST2:PORT2 for HOST1:PORT1; each may be empty. May stand several times."`
	UnixSocket string   `group:"As in curl:" placeholder:"PATH" help:"Connect through this Unix socket."`
	IPv4       bool     `name:"ipv4" short:"4" group:"As in curl:" help:"Connect to addresses of IPv4 only."`
	IPv6       bool     `name:"ipv6" short:"6" group:"As in curl:" help:"Connect to addresses of IPv6 only."`

	HTTP1 bool `name:"http1.1" group:"As in curl:" help:"Speak HTTP/1.1 only."`
	HTTP2 bool `name:"http2" group:"As in curl:" help:"Speak HTTP/2 only."`
	HTTP3 bool `name:"http3" group:"As in curl:" help:"Speak HTTP/3 only."`

	MaxTime string `short:"m" group:"As in curl:" placeholder:"SECONDS" help:"The same as --timeout, in seconds."`
}

// withheld stands for what was given and may be secret.
const withheld = "…"

// Words are the flags that were given, without what may be secret.
func (f ReachFlags) Words() []string {
	var words []string
	for _, w := range []struct {
		flag   string
		values []string
	}{
		{"--insecure", set(f.Insecure)}, {"--cacert", given(f.CACert)}, {"--cert", given(f.Cert)}, {"--key", given(f.Key)},
		{"--header", fieldNames(f.Header)}, {"--user-agent", given(f.UserAgent)}, {"--user", hidden(f.User != "")},
		{"--request", given(f.Request)}, {"--data", hidden(len(f.Data) > 0)}, {"--resolve", f.Resolve}, {"--connect-to", f.ConnectTo},
		{"--unix-socket", given(f.UnixSocket)}, {"--ipv4", set(f.IPv4)}, {"--ipv6", set(f.IPv6)},
		{"--http1.1", set(f.HTTP1)}, {"--http2", set(f.HTTP2)}, {"--http3", set(f.HTTP3)}, {"--max-time", given(f.MaxTime)},
	} {
		for _, value := range w.values {
			if words = append(words, w.flag); value != "" {
				words = append(words, Quote(value))
			}
		}
	}
	return words
}

func given(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

func set(on bool) []string {
	if !on {
		return nil
	}
	return []string{""}
}

func hidden(on bool) []string {
	if !on {
		return nil
	}
	return []string{withheld}
}

// fieldNames are fields without their values.
func fieldNames(fields []string) []string {
	var out []string
	for _, f := range fields {
		if name, _, ok := strings.Cut(f, ":"); ok && !strings.HasPrefix(f, "@") {
			f = name + ": " + withheld
		}
		out = append(out, f)
	}
	return out
}

// Config is what the flags say of how a server is reached and what it is told.
func (f ReachFlags) Config(agent string) (live.Config, error) {
	said, err := f.Reach(agent)
	if err != nil {
		return live.Config{}, err
	}
	return said.Config()
}

// Reach is the same as it is handed to other processes.
func (f ReachFlags) Reach(agent string) (host.Reach, error) {
	said := host.Reach{Insecure: f.Insecure}
	for _, read := range []func(*host.Reach) error{f.trust, f.identify, func(said *host.Reach) error { return f.say(said, agent) }, f.lead} {
		if err := read(&said); err != nil {
			return said, err
		}
	}
	return said, nil
}

// trust reads who may vouch for the server.
func (f ReachFlags) trust(said *host.Reach) error {
	if f.CACert == "" {
		return nil
	}
	pem, err := os.ReadFile(f.CACert)
	if err != nil {
		return fault.Usage("--cacert: %w", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(pem) {
		return fault.Usage("--cacert: %s has no certificate in PEM", f.CACert)
	}
	said.Authorities = pem
	return nil
}

// identify reads the client's own certificate.
func (f ReachFlags) identify(said *host.Reach) error {
	if f.Cert == "" {
		if f.Key != "" {
			return fault.Usage("--key: there is no certificate that it belongs to; add --cert FILE")
		}
		return nil
	}
	var err error
	if said.Certificate, err = os.ReadFile(f.Cert); err == nil {
		said.Key, err = os.ReadFile(cmp.Or(f.Key, f.Cert))
	}
	if err == nil {
		_, err = tls.X509KeyPair(said.Certificate, said.Key)
	}
	if err != nil {
		return fault.Usage("--cert: %w", err)
	}
	return nil
}

// say reads what requests say.
func (f ReachFlags) say(said *host.Reach, agent string) error {
	m := ask.Message{Agent: cmp.Or(f.UserAgent, agent), Method: strings.TrimSpace(f.Request)}
	if strings.ContainsFunc(m.Method, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r) }) {
		return fault.Usage("--request: %q is no method; write GET, HEAD or POST", f.Request)
	}
	for _, text := range f.Header {
		lines := []string{text}
		if file, ok := strings.CutPrefix(text, "@"); ok {
			b, err := readBounded(file, maxSaid)
			if err != nil {
				return fault.Usage("--header: %w", err)
			}
			lines = strings.FieldsFunc(string(b), func(r rune) bool { return r == '\n' || r == '\r' })
		}
		for _, line := range lines {
			field, err := ask.ParseField(line)
			if err != nil {
				return fault.Usage("--header: %w", err)
			}
			m.Fields = append(m.Fields, field)
		}
	}
	if f.User != "" {
		if !strings.Contains(f.User, ":") {
			return fault.Usage("--user: the password is missing; write USER:PASSWORD")
		}
		m.Fields = append(m.Fields, ask.Field{Name: "Authorization", Value: "Basic " + base64.StdEncoding.EncodeToString([]byte(f.User))})
	}
	for i, data := range f.Data {
		content := []byte(data)
		if file, ok := strings.CutPrefix(data, "@"); ok {
			b, err := readBounded(file, maxSaid)
			if err != nil {
				return fault.Usage("--data: %w", err)
			}
			content = []byte(strings.NewReplacer("\r", "", "\n", "").Replace(string(b)))
		}
		if i > 0 {
			m.Content = append(m.Content, '&')
		}
		m.Content = append(m.Content, content...)
	}
	said.Message = m
	return nil
}

// maxSaid bounds what a file adds to a request, in bytes.
const maxSaid = 1 << 20

// readBounded reads a file that has at most so many bytes.
func readBounded(name string, most int64) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s has more than %d kB", name, most>>10)
	}
	return b, err
}

// lead reads where connections go.
func (f ReachFlags) lead(said *host.Reach) error {
	r := dial.Route{Unix: f.UnixSocket}
	for _, text := range f.Resolve {
		pin, err := dial.ParsePin(text)
		if err != nil {
			return fault.Usage("--resolve: %w", err)
		}
		r.Pins = append(r.Pins, pin)
	}
	for _, text := range f.ConnectTo {
		detour, err := dial.ParseDetour(text)
		if err != nil {
			return fault.Usage("--connect-to: %w", err)
		}
		r.Detours = append(r.Detours, detour)
	}
	switch {
	case f.IPv4 && f.IPv6:
		return fault.Usage("-4 and -6 exclude each other; leave one out, or both")
	case f.IPv4:
		r.Family = dial.IPv4
	case f.IPv6:
		r.Family = dial.IPv6
	}
	said.Route = r
	return nil
}

// Version is that of HTTP which is to be spoken; empty is not said.
func (f ReachFlags) Version() (string, error) {
	version := ""
	for _, v := range []struct {
		on      bool
		version string
	}{{f.HTTP1, "1.1"}, {f.HTTP2, "2"}, {f.HTTP3, "3"}} {
		if v.on && version != "" {
			return "", fault.Usage("--http1.1, --http2 and --http3 exclude each other; leave all but one out")
		}
		if v.on {
			version = v.version
		}
	}
	return version, nil
}

// Narrow keeps to the version of HTTP that is to be spoken: of a list of strategies that was
// given, or else of the usual ones.
func (f ReachFlags) Narrow(list, usual string) (string, error) {
	version, err := f.Version()
	if err != nil || version == "" {
		return list, err
	}
	strategies, err := linger.ParseStrategies(cmp.Or(list, usual))
	if err != nil {
		return "", fault.Usage("%w", err)
	}
	var kept []string
	for _, s := range strategies {
		switch {
		case s.Version == version:
			kept = append(kept, s.Name)
		case list != "":
			return "", fault.Usage("--http%s: strategy %s speaks %s; leave one of them out", version, s.Name, s.Speaks())
		}
	}
	if len(kept) == 0 {
		return "", fault.Usage("--http%s: no strategy speaks it here; name one by -s", version)
	}
	return strings.Join(kept, ","), nil
}

// Within is how long may be waited: --max-time, in seconds as curl has it, or else
// --timeout.
func (f ReachFlags) Within(timeout string) (time.Duration, error) {
	if f.MaxTime != "" {
		seconds, err := strconv.ParseFloat(f.MaxTime, 64)
		if err != nil || !(seconds > 0 && seconds < 1e9) {
			return 0, fault.Usage("--max-time: %q is no number of seconds; write 30 or 2.5", f.MaxTime)
		}
		return time.Duration(seconds * float64(time.Second)), nil
	}
	d, err := Duration(timeout)
	if err != nil || d <= 0 {
		return 0, fault.Usage("--timeout: %q is not a time to wait; write 30s or 10m", timeout)
	}
	return d, nil
}
