package live

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"linger"
	"linger/internal/testall"
)

// TestFastOpen runs TestFastOpenInside in a network of its own, where it may say
// that servers take data in a SYN.
func TestFastOpen(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run", "^TestFastOpenInside$", "-test.v")
	cmd.Env = append(os.Environ(), "LINGER_TEST_INSIDE=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if _, ran := err.(*exec.ExitError); err != nil && !ran {
		testall.Lacks(t, "no network namespace to be had: %v", err)
	}
	if err != nil || !strings.Contains(string(out), "PASS: TestFastOpenInside") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestFastOpenInside(t *testing.T) {
	if os.Getenv("LINGER_TEST_INSIDE") == "" {
		t.Skip("a part of TestFastOpen")
	}
	upLoopback(t)
	set := func(value string) {
		if err := os.WriteFile("/proc/sys/net/ipv4/tcp_fastopen", []byte(value), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	set("3")
	a := newAuthority(t)
	for _, scheme := range []string{"http", "https"} {
		w := over(t, linger.Objects(2000, 5, 100), scheme)
		// The kernel keeps cookies by address: each case but the last has its own.
		for _, test := range []struct {
			name, strategy, host, server string
			backlog                      int // of the server's TCP_FASTOPEN; 0 is none
			taken, cookie                bool
		}{
			{"a server that takes it", "close+tfo", "127.0.0.2", "3", 16, true, true},
			{"one kept connection", "keep+tfo", "127.0.0.3", "3", 16, true, true},
			{"HTTP/2", "h2+tfo", "127.0.0.4", "3", 16, true, true},
			{"a server without it", "close+tfo", "127.0.0.5", "3", 0, false, false},
			{"a server that has it switched off", "keep:2+tfo", "127.0.0.6", "1", 16, false, false},
			{"a server that has it no longer", "close+tfo", "127.0.0.2", "1", 16, false, true},
		} {
			if scheme == "https" {
				test.host = strings.Replace(test.host, "0.0", "1.0", 1)
			}
			set("3")
			address := listenFast(t, test.host+":0", test.backlog, func(n int, c net.Conn) {
				if scheme == "https" {
					alpn := "http/1.1"
					if strings.HasPrefix(test.strategy, "h2") {
						alpn = "h2"
					}
					s := tls.Server(c, a.config(alpn))
					defer s.Close()
					c = s
				}
				if strings.HasPrefix(test.strategy, "h2") {
					serveFrames(w, nil)(n, c)
				} else {
					serve(w, nil)(n, c)
				}
			})
			if test.server == "1" {
				set(test.server)
			}
			tr := fetch(t, w, test.strategy, Config{Address: address, ServerName: "test.example", Roots: a.roots(), Verify: true, Limits: patient})
			if f := failures(tr); len(f) > 0 {
				t.Errorf("%s, %s: failed %v", scheme, test.name, f)
			}
			for _, c := range tr.Connections {
				taken, ok := c.FastOpen.Get()
				if !ok && c.Requests == 0 {
					continue // nothing was asked on it
				}
				if _, known := c.Established.Get(); !ok || taken != test.taken || known == test.cookie {
					t.Errorf("%s, %s: connection %d: data in the SYN was taken: %v, %v; established is known: %v", scheme, test.name, c.ID, taken, ok, known)
				}
			}
		}
	}
	set("2")
	_, err := Run(t.Context(), linger.Scenario{Workload: linger.Textbook(1), Strategy: strategy(t, "keep+tfo")}, Config{Address: "127.0.0.1:1"})
	if err == nil || !strings.Contains(err.Error(), "net.ipv4.tcp_fastopen") {
		t.Errorf("switched off for clients: %v", err)
	}
	set("3")
	_, err = Run(t.Context(), linger.Scenario{Workload: linger.Textbook(1), Strategy: strategy(t, "keep+tfo")}, Config{Address: "127.0.0.1:1"})
	if err == nil || !strings.HasPrefix(err.Error(), "cannot fetch a cookie for TCP Fast Open from 127.0.0.1:1: connection refused") {
		t.Errorf("nobody there: %v", err)
	}
}

// upLoopback brings up the one device that a new network has.
func upLoopback(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq("lo")
	if err != nil {
		t.Fatal(err)
	}
	r.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r); err != nil {
		t.Fatal(err)
	}
}

// listenFast is listen, with a socket that takes data in a SYN.
func listenFast(t *testing.T, address string, backlog int, serve func(n int, c net.Conn)) string {
	t.Helper()
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) {
			if backlog > 0 {
				if err := unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_FASTOPEN, backlog); err != nil {
					t.Error(err)
				}
			}
		})
	}}
	l, err := lc.Listen(context.Background(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return listenOn(t, l, serve)
}
