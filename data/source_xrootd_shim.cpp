// The XRootD client library (XrdCl) as C functions; see data/source_xrootd_shim.h.
#include "data/source_xrootd_shim.h"

#include <XrdCl/XrdClDefaultEnv.hh>
#include <XrdCl/XrdClFile.hh>
#include <XrdCl/XrdClFileSystem.hh>

#include <cstdio>
#include <memory>
#include <string>

namespace
{

void put_status(const XrdCl::XRootDStatus &status, xrootd_status *status_r)
{
    status_r->status = status.IsOK() ? 0 : status.status;
    status_r->code = status.code;
    status_r->number = status.errNo;
    const std::string &own = status.GetErrorMessage();
    std::snprintf(status_r->text, sizeof status_r->text, "%s", own.empty() ? status.ToString().c_str() : own.c_str());
}

uint32_t bytes_of(XrdCl::AnyObject *response, XrdCl::ChunkInfo *)
{
    XrdCl::ChunkInfo *chunk = nullptr;
    response->Get(chunk);
    return chunk ? chunk->length : 0;
}

uint32_t bytes_of(XrdCl::AnyObject *response, XrdCl::VectorReadInfo *)
{
    XrdCl::VectorReadInfo *info = nullptr;
    response->Get(info);
    return info ? info->GetSize() : 0;
}

template <typename Response> class Handler : public XrdCl::ResponseHandler
{
  public:
    Handler(xrootd_done *done, void *context) : done_(done), context_(context)
    {
    }

    void HandleResponse(XrdCl::XRootDStatus *status, XrdCl::AnyObject *response) override
    {
        std::unique_ptr<XrdCl::XRootDStatus> owned_status(status);
        std::unique_ptr<XrdCl::AnyObject> owned_response(response);
        xrootd_status result;
        put_status(*status, &result);
        done_(context_, &result, response ? bytes_of(response, static_cast<Response *>(nullptr)) : 0);
        delete this;
    }

  private:
    xrootd_done *done_;
    void *context_;
};

XrdCl::File *as_file(void *file)
{
    return static_cast<XrdCl::File *>(file);
}

void set(const char *name, int value)
{
    XrdCl::DefaultEnv::GetEnv()->PutInt(name, value);
}

void *open(const char *url, uint16_t timeout_s, xrootd_status *status_r)
{
    auto file = std::make_unique<XrdCl::File>(false);
    file->SetProperty("ReadRecovery", "false");
    put_status(file->Open(url, XrdCl::OpenFlags::Read, XrdCl::Access::None, timeout_s), status_r);
    return status_r->status == 0 ? file.release() : nullptr;
}

void stat(void *file, uint16_t timeout_s, uint64_t *size_r, uint64_t *modified_s_r, xrootd_status *status_r)
{
    XrdCl::StatInfo *found = nullptr;
    put_status(as_file(file)->Stat(false, found, timeout_s), status_r);
    std::unique_ptr<XrdCl::StatInfo> owned(found);
    *size_r = found ? found->GetSize() : 0;
    *modified_s_r = found ? found->GetModTime() : 0;
}

void server(void *file, char *text_r, uint32_t size)
{
    std::string text;
    as_file(file)->GetProperty("DataServer", text);
    std::snprintf(text_r, size, "%s", text.c_str());
}

void close(void *file, uint16_t timeout_s)
{
    std::unique_ptr<XrdCl::File> owned(as_file(file));
    XrdCl::XRootDStatus status = owned->Close(timeout_s);
    (void)status; // nothing was written
}

void read(void *file, const xrootd_chunk *chunk, uint16_t timeout_s, xrootd_done *done, void *context,
          xrootd_status *status_r)
{
    auto handler = std::make_unique<Handler<XrdCl::ChunkInfo>>(done, context);
    put_status(as_file(file)->Read(chunk->offset, chunk->size, chunk->to, handler.get(), timeout_s), status_r);
    if (status_r->status == 0)
        handler.release();
}

void read_vector(void *file, const xrootd_chunk *chunks, uint32_t count, uint16_t timeout_s, xrootd_done *done,
                 void *context, xrootd_status *status_r)
{
    XrdCl::ChunkList list;
    list.reserve(count);
    for (uint32_t i = 0; i < count; i++)
        list.emplace_back(chunks[i].offset, chunks[i].size, chunks[i].to);
    auto handler = std::make_unique<Handler<XrdCl::VectorReadInfo>>(done, context);
    put_status(as_file(file)->VectorRead(list, nullptr, handler.get(), timeout_s), status_r);
    if (status_r->status == 0)
        handler.release();
}

void list(const char *url, uint16_t timeout_s, xrootd_found *found, void *context, xrootd_status *status_r)
{
    XrdCl::URL where(url);
    XrdCl::FileSystem files(where);
    XrdCl::DirectoryList *all = nullptr;
    put_status(files.DirList(where.GetPathWithParams(), XrdCl::DirListFlags::Stat, all, timeout_s), status_r);
    std::unique_ptr<XrdCl::DirectoryList> owned(all);
    if (status_r->status != 0 || !all)
        return;
    for (auto entry = all->Begin(); entry != all->End(); ++entry)
        found(context, (*entry)->GetName().c_str(),
              (*entry)->GetStatInfo() && (*entry)->GetStatInfo()->TestFlags(XrdCl::StatInfo::IsDir));
}

const hq_xrootd_api api = {XROOTD_API_VERSION, set, open, stat, server, close, read, read_vector, list};

} // namespace

extern "C" __attribute__((visibility("default"))) const hq_xrootd_api *hq_xrootd(void)
{
    return &api;
}
