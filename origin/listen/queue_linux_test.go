package listen

import (
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestQueue: who lies in the accept queue is counted without being taken.
func TestQueue(t *testing.T) {
	ln := must(TCP(t.Context(), "127.0.0.1:0", Options{}))
	defer ln.Close()
	q := must(QueueOf(ln))
	for i := range 3 {
		defer must(net.Dial("tcp", ln.Addr().String())).Close()
		if n, err := q.Wait(); n != i+1 || err != nil {
			t.Errorf("%d in the queue, %v; want %d", n, err, i+1)
		}
	}
	for i := range 3 {
		if n, err := q.Wait(); n != 3-i || err != nil {
			t.Errorf("%d in the queue, %v; want %d", n, err, 3-i)
		}
		must(ln.Accept()).Close()
	}
	waited := make(chan error)
	go func() {
		_, err := q.Wait()
		waited <- err
	}()
	q.Close()
	if err := <-waited; err == nil {
		t.Error("the wait outlives the queue")
	}
}

// TestBacklog: the kernel holds as many as it was told to, and it is said where it would not.
func TestBacklog(t *testing.T) {
	ln := must(TCP(t.Context(), "127.0.0.1:0", Options{Backlog: 3}))
	defer ln.Close()
	conn := must(ln.(*net.TCPListener).SyscallConn())
	if err := conn.Control(func(fd uintptr) {
		if _, most, err := backlog(fd); most != 3 || err != nil {
			t.Errorf("a backlog of %d, %v", most, err)
		}
	}); err != nil {
		t.Error(err)
	}
	most := must(strconv.Atoi(strings.TrimSpace(string(must(os.ReadFile("/proc/sys/net/core/somaxconn"))))))
	if _, err := TCP(t.Context(), "127.0.0.1:0", Options{Backlog: most + 1}); err == nil || !strings.Contains(err.Error(), "net.core.somaxconn") {
		t.Errorf("one more than the system allows: %v", err)
	}
}
