package pump

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// TUNQueue is how many packets the kernel shall keep for the pump, a super-packet being one;
// whoever brings the device up sets it (txqueuelen). What does not fit is lost inside the
// sending host, unseen by the link, so there is room for a whole window of small packets; the
// kernel's own default is 500 (drivers/net/tun.c, TUN_READQ_SIZE).
const TUNQueue = 10_000

// OpenTUN makes a TUN device of that name in the calling thread's network
// namespace, down and without an address. Each packet has a virtio-net header,
// and the kernel leaves checksums and the segmentation of TCP over IPv4 to the
// reader. The descriptor does not block; the device goes when it is closed.
func OpenTUN(name string) (fd int, err error) {
	fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("cannot open /dev/net/tun: %w; load the module tun and make the device readable and writable", err)
	}
	if err := setupTUN(fd, name); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("cannot make the TUN device %q: %w", name, err)
	}
	return fd, nil
}

func setupTUN(fd int, name string) error {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
		return os.NewSyscallError("TUNSETIFF", err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TUNSETVNETHDRSZ, vnetSize); err != nil {
		return os.NewSyscallError("TUNSETVNETHDRSZ", err)
	}
	return os.NewSyscallError("TUNSETOFFLOAD", unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, unix.TUN_F_CSUM|unix.TUN_F_TSO4))
}
