// SPDX-License-Identifier: GPL-2.0
/*
 * KVM as a subject: the memory is that of a guest, which has no more than a loop. To read
 * it adds up the first bytes of all pages. While it is busy another thread runs it again and
 * again, and it writes each sum to the second byte, and counts in the third.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "serve.h"

#define PAGES 12
#define PAGE ((unsigned long)getpagesize())

#if defined(__x86_64__)
#define COMPLAINT ""
#define CODE_GPA 0xf000UL
#define DATA_GPA 0UL
#define WORK 4
static const uint8_t code[] = {		/* real mode */
	0x31, 0xc9,			/* xor %cx,%cx */
	0xeb, 0x03,			/* jmp 1f */
	0xb9, 0x01, 0x00,		/* WORK: mov $1,%cx */
	0x31, 0xc0,			/* 1: xor %ax,%ax */
	0x31, 0xdb,			/* xor %bx,%bx */
	0x02, 0x07,			/* 2: add (%bx),%al */
	0xe3, 0x06,			/* jcxz 3f */
	0x88, 0x47, 0x01,		/* mov %al,1(%bx) */
	0xfe, 0x47, 0x02,		/* incb 2(%bx) */
	0x81, 0xc3, 0x00, 0x10,		/* 3: add $0x1000,%bx */
	0x81, 0xfb, 0x00, 0xc0,		/* cmp $0xc000,%bx */
	0x75, 0xec,			/* jne 2b */
	0xf4,				/* hlt */
};
#elif defined(__aarch64__)
#define COMPLAINT "complains Failed to find VMA for hva\n"
#define CODE_GPA 0x3ff00000UL
#define DATA_GPA 0x40000000UL
#define WORK 12
#define STEP 15
static const uint32_t code[] = {	/* MMU off */
	0xd503201f,			/* nop: skipped at the end of the MMIO before */
	0xd2800006,			/* mov x6,#0 */
	0x14000003,			/* b 1f */
	0xd503201f,			/* WORK: nop */
	0xd2800026,			/* mov x6,#1 */
	0xd2800000,			/* 1: mov x0,#0 */
	0xd2a80001,			/* movz x1,#0x4000,lsl #16 */
	0xd2800182,			/* mov x2,#12 */
	0x39400023,			/* 2: ldrb w3,[x1] */
	0x8b030000,			/* add x0,x0,x3 */
	0xb40000a6,			/* cbz x6,3f */
	0x39000420,			/* strb w0,[x1,#1] */
	0x39400825,			/* ldrb w5,[x1,#2] */
	0x110004a5,			/* add w5,w5,#1 */
	0x39000825,			/* strb w5,[x1,#2] */
	0x91400021,			/* 3: STEP: add x1,x1,#PAGE */
	0xf1000442,			/* subs x2,x2,#1 */
	0x54fffee1,			/* b.ne 2b */
	0xd2a12004,			/* movz x4,#0x900,lsl #16 */
	0xf9000080,			/* str x0,[x4]: KVM_EXIT_MMIO */
	0x14000000,			/* b . */
};
#endif

static int vm, vcpu;
static struct kvm_run *run;

static void *add_slot(unsigned int slot, uint64_t gpa, size_t len)
{
	void *mem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct kvm_userspace_memory_region region = {
		.slot = slot, .guest_phys_addr = gpa, .memory_size = len,
		.userspace_addr = (uintptr_t)mem,
	};

	if (mem == MAP_FAILED || ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region))
		die("memory slot");
	return mem;
}

#if defined(__x86_64__)
static void write_code(void *to)
{
	memcpy(to, code, sizeof(code));
}

static void vcpu_reset(uint64_t entry)
{
	struct kvm_regs regs = { .rip = CODE_GPA + entry, .rflags = 2 };
	struct kvm_sregs sregs;

	if (ioctl(vcpu, KVM_GET_SREGS, &sregs))
		die("KVM_GET_SREGS");
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) || ioctl(vcpu, KVM_SET_REGS, &regs))
		die("KVM_SET_REGS");
}

static int vcpu_sum(void)
{
	struct kvm_regs regs;

	if (run->exit_reason != KVM_EXIT_HLT || ioctl(vcpu, KVM_GET_REGS, &regs))
		return -1;
	return regs.rax & 0xff;
}
#else
static void write_code(uint32_t *to)
{
	memcpy(to, code, sizeof(code));
	to[STEP] |= PAGE >> 12 << 10;	/* it counts in 4 KiB */
}

static void vcpu_reset(uint64_t entry)
{
	struct kvm_vcpu_init init;
	uint64_t pc = CODE_GPA + entry;
	struct kvm_one_reg reg = {
		.id = KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE |
		      KVM_REG_ARM_CORE_REG(regs.pc),
		.addr = (uintptr_t)&pc,
	};

	if (ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init) ||
	    ioctl(vcpu, KVM_ARM_VCPU_INIT, &init) || ioctl(vcpu, KVM_SET_ONE_REG, &reg))
		die("vcpu init");
}

static int vcpu_sum(void)
{
	return run->exit_reason == KVM_EXIT_MMIO ? run->mmio.data[0] : -1;
}
#endif

static void guest_reads(void)
{
	int sum;

	vcpu_reset(0);
	if (ioctl(vcpu, KVM_RUN, 0)) {
		printf("failed KVM_RUN: %s\n", strerror(errno));
	} else {
		sum = vcpu_sum();
		if (sum < 0)
			printf("failed exit reason %u\n", run->exit_reason);
		else
			printf("sum %d\n", sum);
	}
	fflush(stdout);
}

/* Of a page that is not there the run ends with -EFAULT. */
static void *keep_running(void *unused)
{
	while (is_busy) {
		vcpu_reset(WORK);
		if (ioctl(vcpu, KVM_RUN, 0))
			usleep(1000);
	}
	return unused;
}

/* Returns its memory. */
static uint8_t *make_guest(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), size;
	uint8_t *data;

	if (kvm < 0)
		die("/dev/kvm");
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		die("KVM_CREATE_VM");
	write_code(add_slot(0, CODE_GPA, PAGE));
	data = add_slot(1, DATA_GPA, PAGES * PAGE);
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (vcpu < 0 || run == MAP_FAILED)
		die("vcpu");
	return data;
}

int main(void)
{
	uint8_t *data = make_guest();
	int i;

	for (i = 0; i < PAGES; i++)
		data[i * PAGE] = i + 1;
	guest_reads();
	printf("mirror %#lx %#lx\nbusy\n" COMPLAINT "ready\n", (unsigned long)data,
	       PAGES * PAGE);
	serve(guest_reads, keep_running);
	return 0;
}
