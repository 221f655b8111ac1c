// SPDX-License-Identifier: GPL-2.0
/*
 * RDMA's on-demand paging as a subject: the memory is that of a memory region of soft RoCE,
 * over a dummy network device that this makes. To read it does an RDMA READ of the first
 * byte of each page, through a queue pair that is connected to itself. While it is busy
 * another thread writes to the third by RDMA WRITE, again and again.
 */
#define RDMA_STATIC_PROVIDERS rxe
#include <arpa/inet.h>
#include <errno.h>
#include <infiniband/verbs.h>
#include <net/if.h>
#include <rdma/rdma_netlink.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "serve.h"

#define PAGES 12
#define PAGE ((unsigned long)getpagesize())
#define ANSWER_MS 5000
#define ACCESS (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_WRITE)

static struct ibv_context *context;
static struct ibv_qp *qp;
static struct ibv_cq *cq;
static struct ibv_mr *odp, *plain;
static uint8_t *data, *copy;

/* ip link set NAME up; ip addr add ADDRESS dev NAME */
static void set_up(const char *name, const char *address)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct ifreq request = {};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	inet_pton(AF_INET, address, &in.sin_addr);
	memcpy(&request.ifr_addr, &in, sizeof(in));
	if (fd < 0 || ioctl(fd, SIOCSIFADDR, &request) || ioctl(fd, SIOCGIFFLAGS, &request))
		die(name);
	request.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &request))
		die(name);
	close(fd);
}

static void add(struct nlmsghdr *message, int type, const char *text)
{
	struct nlattr *attr = (void *)((char *)message + NLMSG_ALIGN(message->nlmsg_len));

	attr->nla_type = type;
	attr->nla_len = NLA_HDRLEN + strlen(text) + 1;
	memcpy((char *)attr + NLA_HDRLEN, text, strlen(text) + 1);
	message->nlmsg_len = NLMSG_ALIGN(message->nlmsg_len) + NLA_ALIGN(attr->nla_len);
}

/* rdma link add rxe0 type rxe netdev dummy0 */
static void make_device(void)
{
	char text[512] = {};
	struct nlmsghdr *message = (void *)text;
	struct nlmsgerr *answer = NLMSG_DATA(message);
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_RDMA);

	set_up("lo", "127.0.0.1");
	set_up("dummy0", "10.1.1.1");
	message->nlmsg_len = NLMSG_HDRLEN;
	message->nlmsg_type = RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, RDMA_NLDEV_CMD_NEWLINK);
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	add(message, RDMA_NLDEV_ATTR_DEV_NAME, "rxe0");
	add(message, RDMA_NLDEV_ATTR_LINK_TYPE, "rxe");
	add(message, RDMA_NLDEV_ATTR_NDEV_NAME, "dummy0");
	if (fd < 0 || send(fd, text, message->nlmsg_len, 0) < 0 ||
	    recv(fd, text, sizeof(text), 0) < 0)
		die("netlink");
	errno = -answer->error;
	if (errno)
		die("rxe0");
	close(fd);
}

/* It stays for the next process. */
static void open_device(void)
{
	struct ibv_device **list = ibv_get_device_list(NULL);

	if (!list || !list[0]) {
		make_device();
		list = ibv_get_device_list(NULL);
	}
	if (list && list[0])
		context = ibv_open_device(list[0]);
	if (!context)
		die("RDMA device");
}

static void set_address(struct ibv_ah_attr *to)
{
	union ibv_gid gid;
	int i;

	/* The last one that is there: IPv4 comes after link-local. */
	for (i = 0; i < 8 && !ibv_query_gid(context, 1, i, &gid); i++)
		if (gid.global.interface_id) {
			to->grh.sgid_index = i;
			to->grh.dgid = gid;
		}
	to->is_global = 1;
	to->grh.hop_limit = 1;
	to->port_num = 1;
}

/* After a failure, which is told before rxe_qp_error() makes it the pair's state */
static void wait_for_error(void)
{
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr;
	int ms;

	for (ms = 0; ms < 1000; ms++, usleep(1000))
		if (ibv_query_qp(qp, &attr, IBV_QP_STATE, &init) ||
		    attr.qp_state != IBV_QPS_RTS)
			return;
}

/* To itself; also once more, after a failure. */
static void connect_pair(void)
{
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_RESET, .port_num = 1,
		.qp_access_flags = IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_WRITE,
		.path_mtu = IBV_MTU_1024, .dest_qp_num = qp->qp_num,
		.max_dest_rd_atomic = 1, .max_rd_atomic = 1, .min_rnr_timer = 12,
		.timeout = 14, .retry_cnt = 7, .rnr_retry = 7,
	};
	struct ibv_wc wc;

	wait_for_error();
	set_address(&attr.ah_attr);
	if (ibv_modify_qp(qp, &attr, IBV_QP_STATE))
		die("RESET");
	while (ibv_poll_cq(cq, 1, &wc) == 1)
		;
	attr.qp_state = IBV_QPS_INIT;
	if (ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
			  IBV_QP_ACCESS_FLAGS))
		die("INIT");
	attr.qp_state = IBV_QPS_RTR;
	if (ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU |
			  IBV_QP_DEST_QPN | IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC |
			  IBV_QP_MIN_RNR_TIMER))
		die("RTR");
	attr.qp_state = IBV_QPS_RTS;
	if (ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
			  IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC))
		die("RTS");
}

/* Of one byte. 0, or an enum ibv_wc_status, -1 if there is no answer */
static int transfer(enum ibv_wr_opcode opcode, uint8_t *local, uint8_t *remote)
{
	struct ibv_sge sge = { (uintptr_t)local, 1, plain->lkey };
	struct ibv_send_wr wr = {
		.sg_list = &sge, .num_sge = 1, .opcode = opcode,
		.send_flags = IBV_SEND_SIGNALED,
		.wr.rdma = { (uintptr_t)remote, odp->rkey },
	}, *bad;
	struct timespec pause = { .tv_nsec = 1000000 };
	struct ibv_wc wc;
	int ms;

	if (ibv_post_send(qp, &wr, &bad))
		return -1;
	for (ms = 0; ms < ANSWER_MS; ms++, nanosleep(&pause, NULL))
		if (ibv_poll_cq(cq, 1, &wc) == 1)
			return wc.status;
	return -1;
}

static void device_reads(void)
{
	int i, err = 0, sum = 0;

	for (i = 0; i < PAGES && !err; i++) {
		err = transfer(IBV_WR_RDMA_READ, copy, data + i * PAGE);
		sum += copy[0];
	}
	if (err) {
		printf("failed at page %d: %s\n", i - 1,
		       err > 0 ? ibv_wc_status_str(err) : "no answer");
		connect_pair();
	} else {
		printf("sum %d\n", sum & 0xff);
	}
	fflush(stdout);
}

/* What can't be reached breaks the connection. */
static void *keep_writing(void *unused)
{
	uint8_t *count = copy + 1;
	int i;

	for (; is_busy; ++*count)
		for (i = 0; i < PAGES && is_busy; i++)
			if (transfer(IBV_WR_RDMA_WRITE, count, data + i * PAGE + 2))
				connect_pair();
	return unused;
}

static uint8_t *map(size_t size)
{
	uint8_t *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		die("memory");
	memset(memory, 1, size);
	return memory;
}

static void make_pair(void)
{
	struct ibv_pd *pd = ibv_alloc_pd(context);
	struct ibv_qp_init_attr init = {
		.qp_type = IBV_QPT_RC,
		.cap = { .max_send_wr = 4, .max_recv_wr = 1, .max_send_sge = 1,
			 .max_recv_sge = 1 },
	};

	if (!pd)
		die("protection domain");
	odp = ibv_reg_mr(pd, data, PAGES * PAGE, ACCESS | IBV_ACCESS_ON_DEMAND);
	if (!odp)
		die("memory region with on-demand paging");
	plain = ibv_reg_mr(pd, copy, PAGE, ACCESS);
	cq = ibv_create_cq(context, 8, NULL, NULL, 0);
	init.send_cq = cq;
	init.recv_cq = cq;
	qp = ibv_create_qp(pd, &init);
	if (!plain || !cq || !qp)
		die("queue pair");
	connect_pair();
}

int main(void)
{
	data = map(PAGES * PAGE);
	copy = map(PAGE);
	open_device();
	make_pair();
	device_reads();
	printf("mirror %#lx %#lx\nbusy\ncomplains make_send_cqe: non-flush error status\n"
	       "ready\n", (unsigned long)data, PAGES * PAGE);
	serve(device_reads, keep_writing);
	return 0;
}
