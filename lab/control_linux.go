package lab

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"linger/sockdiag"
)

// The two halves of a lab, this process and the first one inside, talk over a
// pair of Unix sockets: four bytes of length, most significant first, then JSON.
// Files travel beside the length (unix(7), SCM_RIGHTS).

const (
	// maxMessage holds a ledger of about 90,000 connections.
	maxMessage = 64 << 20
	// maxFiles is how many files one message may bring: the three of a command, or the
	// captures of a lab.
	maxFiles = max(3, mostCaptures)
	// sendWithin bounds how long the other half may leave a message unread.
	sendWithin = 10 * time.Second
)

// A request goes inwards; exactly one of its pointers is set.
type request struct {
	ID     int            `json:"id"` // unique; the answer carries it back
	Open   *Config        `json:"open,omitempty"`
	Check  *struct{}      `json:"check,omitempty"`
	Start  *startRequest  `json:"start,omitempty"`
	Signal *signalRequest `json:"signal,omitempty"`
	Report *struct{}      `json:"report,omitempty"`
	Series *struct{}      `json:"series,omitempty"`
	Renew  *Config        `json:"renew,omitempty"`
	Listen *listenRequest `json:"listen,omitempty"`
	// Listeners and SignalAll are about all of a host.
	Listeners *hostRequest `json:"listeners,omitempty"`
	SignalAll *hostRequest `json:"signal_all,omitempty"`
}

type hostRequest struct {
	Host   string         `json:"host"`
	Signal syscall.Signal `json:"signal,omitempty"`
}

type startRequest struct {
	Process    int      `json:"process"` // what the lab calls it from now on
	Host       string   `json:"host"`
	Path       string   `json:"path"`
	Args       []string `json:"args"`
	Env        []string `json:"env"` // null is inherited
	Dir        string   `json:"dir"`
	Files      [3]bool  `json:"files"` // which of stdin, stdout, stderr came along
	Foreground bool     `json:"foreground"`
	NetAdmin   bool     `json:"net_admin"`
}

type signalRequest struct {
	Process int            `json:"process"`
	Signal  syscall.Signal `json:"signal"`
}

// A listenRequest asks for a socket of a host, which comes along with the answer.
type listenRequest struct {
	Host string `json:"host"`
	Port int    `json:"port"`
	// Packets asks for UDP, not TCP.
	Packets bool `json:"packets"`
}

// An answer goes outwards: to the request of that ID, or with ID 0 the news that
// a process has ended.
type answer struct {
	ID int `json:"id"`
	// Error is one line, Errno what is beneath it; Unsupported says that this
	// machine does not allow what was asked for.
	Error       string    `json:"error,omitempty"`
	Errno       int       `json:"errno,omitempty"`
	Unsupported bool      `json:"unsupported,omitempty"`
	Report      *Report   `json:"report,omitempty"`
	Series      *Series   `json:"series,omitempty"`
	Findings    []Finding `json:"findings,omitempty"`
	Exited      *exited   `json:"exited,omitempty"`
	// Listeners, and how many Processes there are, of a host.
	Listeners []sockdiag.Listener `json:"listeners,omitempty"`
	Processes int                 `json:"processes,omitempty"`

	files []*os.File // that come along
}

type exited struct {
	Process int  `json:"process"`
	Exit    Exit `json:"exit"`
}

// A control is one end of the pair.
type control struct {
	conn *net.UnixConn
	mu   sync.Mutex // of sending, so that messages do not interleave
}

// controlPair returns the near end, and the far end as a file to inherit.
func controlPair() (*control, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	far := os.NewFile(uintptr(fds[1]), "control")
	near, err := newControl(os.NewFile(uintptr(fds[0]), "control"))
	if err != nil {
		far.Close()
		return nil, nil, err
	}
	return near, far, nil
}

// newControl takes the file over.
func newControl(f *os.File) (*control, error) {
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, errors.New("the control socket is not a Unix socket")
	}
	return &control{conn: u}, nil
}

// send writes one message. The files stay the caller's.
func (c *control) send(message any, files ...*os.File) error {
	body, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if len(body) > maxMessage {
		return fmt.Errorf("a message of %d bytes is more than the %d that the lab carries", len(body), maxMessage)
	}
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		rights = unix.UnixRights(fds...)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.conn.SetWriteDeadline(time.Now().Add(sendWithin)); err != nil {
		return err
	}
	head := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	if _, _, err = c.conn.WriteMsgUnix(head, rights, nil); err == nil {
		_, err = c.conn.Write(body)
	}
	if err != nil {
		// Part of a message may be out: nothing that follows would be understood.
		c.conn.Close()
		return fmt.Errorf("%w: %w", errGone, err)
	}
	return nil
}

// errGone says that the other half does not read any more; receive ends soon.
var errGone = errors.New("the other half of the lab is gone")

// receive reads one message into message, a pointer, with the files that came
// along, which become the caller's. io.EOF says that the other half is gone.
func (c *control) receive(message any) (files []*os.File, err error) {
	var head [4]byte
	oob := make([]byte, unix.CmsgSpace(maxFiles*4))
	n, oobn, flags, _, err := c.conn.ReadMsgUnix(head[:], oob)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, io.EOF
	}
	files, err = rightsOf(oob[:oobn])
	defer func() {
		if err != nil {
			closeAll(files)
			files = nil
		}
	}()
	if err != nil {
		return files, err
	}
	if flags&unix.MSG_CTRUNC != 0 {
		return files, errors.New("a message brought more files than the lab takes; raise the limit of open files (ulimit -n)")
	}
	if _, err = io.ReadFull(c.conn, head[n:]); err != nil {
		return files, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxMessage {
		return files, fmt.Errorf("a message of %d bytes is more than the %d that the lab carries", size, maxMessage)
	}
	body := make([]byte, size)
	if _, err = io.ReadFull(c.conn, body); err != nil {
		return files, err
	}
	err = json.Unmarshal(body, message)
	return files, err
}

func (c *control) close() error { return c.conn.Close() }

// rightsOf returns the files of the control messages in oob, even beside an error.
func rightsOf(oob []byte) ([]*os.File, error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, os.NewSyscallError("recvmsg", err)
	}
	var files []*os.File
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			return files, os.NewSyscallError("recvmsg", err)
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
