package door

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/fault"
	"linger/origin"
	"linger/origin/listen"
)

// free are doors of some kinds at ports that are free.
func free(t *testing.T, kinds ...Kind) Doors {
	t.Helper()
	at := map[Kind]string{}
	for _, k := range kinds {
		at[k] = "127.0.0.1:0"
	}
	doors, err := Open(t.Context(), at, listen.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(doors.Close)
	return doors
}

func TestWhatDoorsSay(t *testing.T) {
	for _, test := range []struct {
		name   string
		kinds  []Kind
		sign   string // of the last door, its port left out
		dns    string // the same of names
		ports  int
		secure bool
		alt    bool
		speak  string // versions that are spoken
	}{
		{"cleartext", []Kind{HTTP}, "http://127.0.0.1:P/", "http://127.0.0.1:P/dns-query", 1, false, false, "1 2"},
		{"TLS", []Kind{HTTPS}, "https://127.0.0.1:P/", "https://127.0.0.1:P/dns-query; ask: dig +https @127.0.0.1 -p P", 1, true, false, "1 2"},
		{"TLS and QUIC", []Kind{HTTPS, H3}, "https://127.0.0.1:P/ by HTTP/3", "https://127.0.0.1:P/dns-query by HTTP/3", 2, true, true, "1 2 3"},
		{"QUIC alone", []Kind{H3}, "https://127.0.0.1:P/ by HTTP/3", "https://127.0.0.1:P/dns-query by HTTP/3", 1, true, false, "3"},
		{"DNS", []Kind{DNS}, "", "127.0.0.1:P by UDP; ask: dig +notcp @127.0.0.1 -p P", 1, false, false, ""},
		{"DNS over TLS", []Kind{DoT}, "", "127.0.0.1:P by TLS; ask: dig +tls @127.0.0.1 -p P", 1, true, false, ""},
		{"DNS over QUIC", []Kind{DoQ}, "", "127.0.0.1:P by QUIC; ask: kdig +quic @127.0.0.1 -p P", 1, true, false, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			doors := free(t, test.kinds...)
			last := doors[len(doors)-1]
			said := func(w linger.Workload) string { return strings.ReplaceAll(last.Sign(w), last.Port, "P") }
			page := linger.Workload{Scheme: linger.SchemeHTTP, Exchanges: []linger.Exchange{{Path: "/"}}}
			if test.sign != "" && said(page) != test.sign {
				t.Errorf("it is signed %q, want %q", said(page), test.sign)
			}
			names := linger.Names()
			if want := test.dns; !strings.HasPrefix(said(names), want) {
				t.Errorf("of names it is signed %q, want %q", said(names), want)
			}
			if len(doors.Ports()) != test.ports || doors.Secure() != test.secure || (doors.AltSvc() != "") != test.alt {
				t.Errorf("ports %q, secure: %v, Alt-Svc %q", doors.Ports(), doors.Secure(), doors.AltSvc())
			}
			for _, v := range []string{"1", "2", "3"} {
				if doors.Speak([]string{v}) != strings.Contains(test.speak, v) {
					t.Errorf("HTTP/%s is spoken, or not, against the table", v)
				}
			}
		})
	}
}

func TestAllAreOpenOrNone(t *testing.T) {
	taken := free(t, HTTP)[0]
	address := net.JoinHostPort(taken.Host, taken.Port)
	if _, err := Open(t.Context(), map[Kind]string{DNS: "127.0.0.1:0", HTTPS: address}, listen.Options{}); fault.KindOf(err) != fault.MachineUnable {
		t.Errorf("a port that is taken: %v", err)
	}
	if _, err := Open(t.Context(), map[Kind]string{HTTP: "nowhere.invalid:0"}, listen.Options{}); fault.KindOf(err) != fault.WrongUsage {
		t.Errorf("a name that is none: %v", err)
	}
}

func TestServedUntilStopped(t *testing.T) {
	doors := free(t, HTTP, DNS)
	server, err := origin.New(origin.Config{Workload: linger.Names()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, stop)
	told := false
	if err := doors.Serve(ctx, server, time.Second, func() { told = true }); err != nil || !told {
		t.Errorf("it ended with %v; told: %v", err, told)
	}
	if _, err := net.Dial("tcp", net.JoinHostPort(doors[0].Host, doors[0].Port)); err == nil {
		t.Error("connections are still taken")
	}
}
