package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"linger/internal/testall"
)

func init() { roles["terminal"] = inTerminal }

// inTerminal runs a shell's command line in the foreground of a lab on its own
// terminal, and then says how it ended and whose the terminal is.
func inTerminal(args []string) int {
	// Caught, not ignored: the command would inherit that.
	signal.Notify(make(chan os.Signal, 1), unix.SIGINT)
	l, err := Open(context.Background(), two())
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer l.Close()
	p, err := l.Start(Command{Host: "client", Path: args[0], Args: args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Foreground: true})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	e, err := p.Wait()
	group, ioctlErr := unix.IoctlGetInt(0, unix.TIOCGPGRP)
	fmt.Printf("ended with %d, %v; the terminal is ours: %v, %v\n", e.Status(), err, group == unix.Getpgrp(), ioctlErr)
	return 0
}

// A terminal is the far side of a pseudo-terminal, with what came out of it.
type terminal struct {
	master *os.File
	mu     sync.Mutex
	text   bytes.Buffer
}

// onTerminal starts this program in that role as the leader of a session whose
// terminal it returns.
func onTerminal(t *testing.T, args ...string) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		testall.Lacks(t, "%v", err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	slave, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY)
	if errno != 0 {
		testall.Lacks(t, "%v", errno)
	}
	tty := os.NewFile(slave, "terminal")
	defer tty.Close()
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), roleVar+"=terminal", "TERM=dumb", "PS1=$ ")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	term := &terminal{master: master}
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			term.mu.Lock()
			term.text.Write(buf[:n])
			term.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return term
}

// expect waits until the text has come out.
func (term *terminal) expect(t *testing.T, want string) {
	t.Helper()
	var got string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		term.mu.Lock()
		got = term.text.String()
		term.mu.Unlock()
		if strings.Contains(got, want) {
			return
		}
	}
	t.Fatalf("%q has not come; the terminal shows\n%s", want, got)
}

func (term *terminal) write(t *testing.T, text string) {
	t.Helper()
	if _, err := term.master.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func TestInterruptReachesTheForeground(t *testing.T) {
	openLab(t, two())
	term := onTerminal(t, "/bin/sh", "-c", "trap 'echo interrupted; exit 9' INT; echo begun; while :; do sleep 0.05; done")
	term.expect(t, "begun")
	term.write(t, "\x03")
	term.expect(t, "interrupted")
	term.expect(t, "ended with 9, <nil>; the terminal is ours: true, <nil>")
}

func TestInterruptEndsTheForeground(t *testing.T) {
	openLab(t, two())
	term := onTerminal(t, "/bin/sh", "-c", "echo begun; exec sleep 1000")
	term.expect(t, "begun")
	term.write(t, "\x03")
	term.expect(t, "ended with 130, <nil>; the terminal is ours: true, <nil>")
}

// TestShellInTheLab has an interactive shell run jobs, interrupts one, and takes
// the terminal back.
func TestShellInTheLab(t *testing.T) {
	testall.Needs(t, "bash")
	bash, _ := exec.LookPath("bash")
	openLab(t, two())
	term := onTerminal(t, bash, "--norc", "--noediting", "-i")
	term.write(t, "echo one=$((1+1))\n")
	term.expect(t, "one=2")
	term.write(t, "sleep 1000\n")
	time.Sleep(100 * time.Millisecond)
	term.write(t, "\x03")
	term.write(t, "echo two=$((1+1)) status=$?\n")
	term.expect(t, "two=2 status=130")
	term.write(t, "sleep 1000 &\n")
	term.write(t, "jobs -r | wc -l; echo three=$((1+2))\n")
	term.expect(t, "three=3")
	term.write(t, "exit 5\n")
	term.expect(t, "ended with 5, <nil>; the terminal is ours: true, <nil>")
	term.mu.Lock()
	defer term.mu.Unlock()
	if strings.Contains(term.text.String(), "no job control") {
		t.Errorf("the shell has no job control:\n%s", term.text.String())
	}
}
