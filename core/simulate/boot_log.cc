#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "core/simulate/log_author.h"

namespace corefleet {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

std::string Chomp(absl::string_view line) { return std::string(absl::StripSuffix(line, "\n")); }

void SayFirmware(LogAuthor* log) {
  const ModelKernel& kernel = log->kernel();
  if (kernel.is_arm64()) {
    log->Say("Booting Linux on physical CPU 0x0000000000 [0x411fd070]");
    log->Say(5, Chomp(kernel.banner));
    log->Say("Machine model: Larkspur evaluation board");
    log->Say("efi: UEFI not found.");
    log->Say("psci: probing for conduit method from DT.");
    log->Say("psci: PSCIv1.1 detected in firmware.");
    return;
  }
  log->Say(5, Chomp(kernel.banner));
  log->Say(absl::StrCat("Command line: ", kernel.command_line));
  log->Say("BIOS-provided physical RAM map:");
  log->Say("BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable");
  log->Say(absl::StrFormat("BIOS-e820: [mem 0x0000000000100000-0x%016x] usable", kernel.ram_size - 1));
  log->Say("NX (Execute Disable) protection: active");
  log->Say("DMI: Larkspur Evaluation Board/LB-4, BIOS 2.11 03/14/2024");
  log->Say(absl::StrFormat("tsc: Detected %d.%03d MHz processor", log->random().Between(1800, 3600),
                           log->random().Below(1000)));
}

void SayMemory(LogAuthor* log) {
  const ModelKernel& kernel = log->kernel();
  const uint64_t end = kernel.ram_start + kernel.ram_size - 1;
  log->Say("Zone ranges:");
  log->Say(absl::StrFormat("  DMA32    [mem 0x%016x-0x00000000ffffffff]", kernel.ram_start));
  log->Say(absl::StrFormat("  Normal   [mem 0x0000000100000000-0x%016x]", end | 0x100000000));
  log->Say("Movable zone start for each node");
  log->Say("Early memory node ranges");
  log->Say(absl::StrFormat("  node   0: [mem 0x%016x-0x%016x]", kernel.ram_start, end));
  log->Say(absl::StrFormat("Initmem setup node 0 [mem 0x%016x-0x%016x]", kernel.ram_start, end));
  log->Say(absl::StrFormat("percpu: Embedded %d pages/cpu s%d r8192 d%d u%d", 30, 85864, 28824, 122880));
  if (kernel.is_arm64()) log->Say("Detected PIPT I-cache on CPU0");
  log->Say(absl::StrCat("Built 1 zonelists, mobility grouping on.  Total pages: ",
                        kernel.ram_size / kernel.page_size * 63 / 64));
  if (kernel.is_arm64()) log->Say(5, absl::StrCat("Kernel command line: ", kernel.command_line));
  if (!kernel.is_arm64()) log->Say(5, absl::StrCat("Kernel command line: ", kernel.command_line));
  log->Say("Dentry cache hash table entries: 524288 (order: 10, 4194304 bytes, linear)");
  log->Say("mem auto-init: stack:off, heap alloc:off, heap free:off");
  log->Say(absl::StrFormat("SLUB: HWalign=64, Order=0-3, MinObjects=0, CPUs=%d, Nodes=1", kernel.cpus));
}

void SayClocks(LogAuthor* log) {
  const ModelKernel& kernel = log->kernel();
  log->Say("rcu: Hierarchical RCU implementation.");
  log->Say(absl::StrFormat("rcu: \tRCU restricting CPUs from NR_CPUS=256 to nr_cpu_ids=%d.", kernel.cpus));
  log->Say("NR_IRQS: 64, nr_irqs: 64, preallocated irqs: 0");
  if (kernel.is_arm64()) log->Say("arch_timer: cp15 timer(s) running at 19.20MHz (virt).");
  log->StartClock();
  log->Say("Console: colour dummy device 80x25");
  log->Say(
      absl::StrFormat("clocksource: jiffies: mask: 0xffffffff max_cycles: 0xffffffff, max_idle_ns: %d ns",
                      7645041785100000 / kernel.hz * 250));
  log->Say("pid_max: default: 32768 minimum: 301");
  log->Say("LSM: Security Framework initializing");
}

void SayProcessors(LogAuthor* log) {
  const ModelKernel& kernel = log->kernel();
  log->Become(1, 6);
  log->Say("smp: Bringing up secondary CPUs ...");
  for (uint32_t cpu = 1; cpu < kernel.cpus; ++cpu) {
    if (kernel.is_arm64()) {
      log->Say(absl::StrFormat("Detected PIPT I-cache on CPU%d", cpu));
      log->Say(absl::StrFormat("CPU%d: Booted secondary processor 0x%010x [0x411fd070]", cpu, cpu << 8));
    }
  }
  if (!kernel.is_arm64()) {
    std::string line = ".... node  #0, CPUs:   ";
    for (uint32_t cpu = 1; cpu < kernel.cpus; ++cpu) absl::StrAppend(&line, "   #", cpu);
    log->Say(line);
  }
  log->Say(absl::StrFormat("smp: Brought up 1 node, %d CPU%s", kernel.cpus, kernel.cpus > 1 ? "s" : ""));
  log->Say("devtmpfs: initialized");
}

struct Device {
  const char* subsystem;
  const char* name;
  const char* says;
};
constexpr Device kDevices[] = {
    {"platform", "9000000.serial", "ttyAMA0 at MMIO 0x9000000 (irq = 13, base_baud = 0) is a PL011 rev1"},
    {"platform", "a003e00.tidegate", "four sluices, firmware 2.7"},
    {"platform", "a004000.valve", "pump head 3 calibrated"},
    {"i2c", "1-0048", "thermal sensor, 8 channels"},
    {"spi", "spi0.0", "quarry flash, 32768 KiB"},
    {"usb", "usb1", "New USB device found, idVendor=1d6b, idProduct=0002, bcdDevice= 0.00"},
    {"mmc", "mmc0:0001", "larkspur eMMC, 29.1 GiB"},
    {"pci", "0000:01:00.0", "[1f0c:7a10] type 00 class 0x020000"},
};

void SayDevices(LogAuthor* log) {
  for (const char* family : {"NETLINK/ROUTE", "INET", "UNIX/LOCAL", "PACKET"})
    log->Say(absl::StrCat("NET: Registered PF_", family, " protocol family"));
  log->Say("thermal_sys: Registered thermal governor 'step_wise'");
  log->Say("cpuidle: using governor menu");
  for (const Device& device : kDevices) {
    log->Wait(log->random().Between(1, 40) * 1'000'000);
    log->Say(absl::StrCat(device.subsystem, " ", device.name, ": ", device.says));
    log->About(device.subsystem, absl::StrCat("+", device.subsystem, ":", device.name));
  }
  for (int part = 1; part <= 4; ++part)
    log->Say(absl::StrFormat(" mmcblk0: p%d from block %d", part, part * 65536));
  log->Say("EXT4-fs (mmcblk0p2): mounted filesystem with ordered data mode. Quota mode: none.");
  log->Say("VFS: Mounted root (ext4 filesystem) readonly on device 179:2.");
  log->Say("Freeing unused kernel memory: 5120K");
  log->Say("Run /sbin/init as init process");
  log->Say(7, "  with arguments:");
  log->Say(7, "    /sbin/init");
  log->Say(7, "  with environment:");
  log->Say(7, "    HOME=/");
  log->Say(7, "    TERM=linux");
}

}  // namespace

void WriteBootLog(LogAuthor* author) {
  author->Become(0, 6);
  SayFirmware(author);
  SayMemory(author);
  SayClocks(author);
  SayProcessors(author);
  SayDevices(author);
  author->Wait(kSecond / 4);
}

void WriteEverydayLog(uint64_t nsec, LogAuthor* author) {
  static constexpr absl::string_view kLines[] = {
      "tidegate a003e00.tidegate: sluice moved, %d steps",
      "valve a004000.valve: pressure %d mbar",
      "mmc0: retuned, %d ns delay",
      "quarry spi0.0: scrubbed %d pages",
      "larkspur-net eth0: link up, %d Mbps, full duplex",
      "larkspur-net eth0: %d frames dropped while the link came up",
      "usb 1-1: reset high-speed USB device number %d",
  };
  const uint64_t count = author->random().Between(20, 60);
  const uint64_t start = author->now_nsec();
  for (uint64_t i = 0; i < count; ++i) {
    author->SetClock(start + nsec / count * i + author->random().Below(nsec / count / 2 + 1));
    author->Become(static_cast<uint32_t>(author->random().Between(2, 900)), 6);
    const absl::string_view line = author->random().Pick(kLines);
    const size_t at = line.find("%d");
    author->Say(absl::StrCat(line.substr(0, at), author->random().Below(2000), line.substr(at + 2)));
  }
  author->SetClock(start + nsec);
}

}  // namespace corefleet
